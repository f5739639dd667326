package main

import (
	"strings"
	"testing"
	"time"
)

const entryText = `pen (1.2.0) unstable; urgency=medium

  * Something.

 -- Somebody <a@example.org>  Thu, 26 Nov 2026 12:00:00 +0100

pen (1.1.0) unstable; urgency=medium
`

func TestParseChanges(t *testing.T) {
	c, err := parseChanges([]byte(entryText))
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 26, 11, 0, 0, 0, time.UTC); c.version != "1.2.0" || c.maintainer != "Somebody <a@example.org>" || !c.time.Equal(want) {
		t.Errorf("got %q, %q, %v", c.version, c.maintainer, c.time)
	}
	got := string(c.of("1.2.0~pre1", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)))
	if !strings.HasPrefix(got, "pen (1.2.0~pre1) unstable") || !strings.Contains(got, "\n -- Somebody <a@example.org>  Sun, 01 Nov 2026 00:00:00 +0000\n\npen (1.1.0)") {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", "pen 1.2.0", "pen (1.2.0) x\n", "pen (1.2.0) x\n\n -- A <a@b>  yesterday\n"} {
		if _, err := parseChanges([]byte(bad)); err == nil {
			t.Errorf("got no error for %q", bad)
		}
	}
}

func TestLicenseID(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"line breaks", "Permission is hereby granted, free of charge, to any person obtaining\na copy of this software and\n\tassociated documentation files", "MIT"},
		{"Apache", "  Apache License\n  Version 2.0, January 2004", "Apache-2.0"},
		{"two marks of one", "Neither the name ... The name of any author may not be used to endorse or promote products derived from this software", "BSD-3-Clause"},
		{"unknown", "All rights reserved.", ""},
		{"two", "Apache License Version 2.0 ... Neither the name of", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := licenseID(tt.in)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q and error %v, want %q", got, err, tt.want)
			}
		})
	}
}

// A new module whose licence nobody knows is to be seen with the change that brings it, not by who makes packages.
func TestEveryModuleHasALicence(t *testing.T) {
	for _, to := range targets {
		s := &stage{release: &release{}, target: to}
		ids, err := s.licenseIDs()
		if err != nil {
			t.Errorf("%v: %v", to, err)
		}
		if err == nil && (len(ids) < 10 || ids["std"] != "BSD-3-Clause") {
			t.Errorf("%v: got licences %v, want those of all modules", to, ids)
		}
	}
}

func TestField(t *testing.T) {
	if got, want := field("\n\na\n\n  b \r\n\n"), " a\n .\n   b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFileName(t *testing.T) {
	tests := []struct{ version, format, want string }{
		{"1.0.0", "deb", "pen_1.0.0_arm64.deb"},
		{"1.0.0~pre1", "deb", "pen_1.0.0~pre1_arm64.deb"},
		{"1.0.0~pre1", "rpm", "pen-1.0.0~pre1-1.aarch64.rpm"},
		{"1.0.0~pre1", "apk", "pen-1.0.0_pre1.aarch64.apk"},
		{"1.0.0", "apk", "pen-1.0.0.aarch64.apk"},
	}
	for _, tt := range tests {
		s := &stage{release: &release{version: tt.version}, target: target{"linux", "arm64"}}
		if got := s.fileName(tt.format); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.version, tt.format, got, tt.want)
		}
	}
}
