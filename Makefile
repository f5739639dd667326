# make demo     a balancer with three small servers, to look at
# make build    the five programs in bin/
# make install  programs, manual pages, sample and services under PREFIX (/usr/local), SYSCONFDIR (/etc) and DESTDIR
# make test     all tests, unit and scenario
# make packages .deb, .rpm, .apk and, for Solaris and illumos, IPS and SVR4, in bin/packages/
#
# The others are below. Only Go and make are needed, and gcc for the race detector.

GO         ?= go
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
PROGRAMS   := pen penctl penlog penlogd mergelogs

# The version is the release of the change log where its tag is on the commit, else one on the way to it, which sorts
# before it and after those of earlier commits. Commit and date are those of the sources, so that the same sources give
# the same bytes; sources without git may be given all three.
RELEASE  := $(shell sed -n '1s/^pen (\(.*\)).*/\1/p' conf/etc/packages/changelog)
COMMIT   ?= $(shell git describe --always --abbrev=12 --exclude '*' --dirty 2>/dev/null)
DATE     ?= $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null)
VERSION  ?= $(RELEASE)$(shell git describe --exact-match --match 'v$(RELEASE)' >/dev/null 2>&1 || \
              TZ=UTC git log -1 --date=format-local:~pre%Y%m%d%H%M%S --format=%cd 2>/dev/null)
LDFLAGS  := -s -w -X pen/cmd/version.version=$(VERSION) -X pen/cmd/version.commit=$(COMMIT) -X pen/cmd/version.date=$(DATE)

# Systems that pen builds for, as GOOS/GOARCH.
TARGETS  := linux/amd64 linux/arm64 freebsd/amd64 openbsd/amd64 netbsd/amd64 darwin/amd64 solaris/amd64 illumos/amd64

FUZZTIME    ?= 30000x
SOAKTIME    ?= 1m
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0


.PHONY: all build demo test cross race soak fuzz lint bench install uninstall packages test-packages clean

all: build

build:
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/ $(PROGRAMS:%=./cmd/%)

demo: build
	$(GO) run ./cmd/demo -bin bin

# go test keeps to itself what passing tests print, so the reasons of skipped scenarios go through a file.
test: build
	@rm -f bin/skipped; touch bin/skipped
	PEN_BIN=$(CURDIR)/bin PEN_SKIPPED=$(CURDIR)/bin/skipped $(GO) test -count=1 -timeout 15m ./...
	@sort -u bin/skipped

cross:
	@for t in $(TARGETS); do \
	  echo "cross: $$t"; \
	  GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) build -trimpath -o /dev/null ./... || exit 1; \
	  GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) vet ./... || exit 1; \
	done

# The race detector watches the packages, and a pen built with it through the scenarios that fit its appetite.
race:
	CGO_ENABLED=1 $(GO) test -race -count=1 -timeout 15m $$($(GO) list ./... | grep -v '^pen/cmd/pen$$')
	@mkdir -p bin/race
	CGO_ENABLED=1 $(GO) build -race -o bin/race/ $(PROGRAMS:%=./cmd/%)
	PEN_BIN=$(CURDIR)/bin/race PEN_RACE=1 $(GO) test -count=1 -timeout 15m ./cmd/pen

# HUP, USR1, commands and 1,000 connections a second for SOAKTIME, without one failed request.
soak: build
	PEN_SOAK=$(SOAKTIME) PEN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 30m -run '^TestSoak$$|^TestScenarios$$/^pen$$/^(dnsperf|tls-testssl)$$' -v ./cmd/pen

# Every fuzz target FUZZTIME; go test takes one at a time. A number of inputs, as with a time the end may be taken for a
# failure ("context deadline exceeded"): golang.org/issue/75804, corrected in Go 1.27.
fuzz:
	@for p in $$($(GO) list ./...); do \
	  names=$$($(GO) test -list '^Fuzz' $$p) || exit 1; \
	  for f in $$(echo "$$names" | grep '^Fuzz'); do \
	    echo "fuzz: $$p $$f"; \
	    $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "gofmt -w these:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@found=$$($(GO) run $(GOVULNCHECK) ./... 2>&1); status=$$?; echo "$$found"; \
	  case "$$found" in \
	  *"fetching vulnerabilities"*) echo "govulncheck skipped: its database cannot be reached";; \
	  *) exit $$status;; \
	  esac

# What is measured, by whom and for how long is up to BENCHFLAGS: make bench BENCHFLAGS="--tests 'keepalive-*' --rounds 3".
BENCHFLAGS ?= --out bench/results/latest.json
bench: build
	$(GO) build -o bin/bench ./bench
	bin/bench $(BENCHFLAGS)

# Builds only what is not there, so that after make the root who installs needs no Go.
install:
	@test -x bin/pen || $(MAKE) build
	@PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' DESTDIR='$(DESTDIR)' sh conf/etc/packages/install.sh install

uninstall:
	@PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' DESTDIR='$(DESTDIR)' sh conf/etc/packages/install.sh uninstall

packages:
	$(GO) run ./cmd/packages -out bin/packages -version '$(VERSION)' -date '$(DATE)' -ldflags '$(LDFLAGS)' $(PACKAGEFLAGS)

# Installs, upgrades, removes and purges in a small Debian made for it, looks into every package, builds all again elsewhere.
test-packages: packages
	@rm -f bin/skipped-packages
	VERSION='$(VERSION)' COMMIT='$(COMMIT)' DATE='$(DATE)' PEN_SKIPPED=$(CURDIR)/bin/skipped-packages \
	  PEN_PACKAGES=$(CURDIR)/bin/packages $(GO) test -count=1 -timeout 15m -v ./cmd/packages

clean:
	rm -rf bin
