// Package version knows which version of pen this is. The five programs share it.
package version

import (
	"runtime/debug"
	"strings"
)

// What the Makefile knows of the sources: -ldflags "-X pen/cmd/version.version=1.2.3".
var (
	version string // of the release, or of the release that these sources are on the way to
	commit  string // the revision, with "-dirty" behind it if the sources had been edited
	date    string // of the commit, not of the build: the same sources give the same bytes
)

// String returns the version given at the build, else the revision that the sources were taken from
// ("devel-" and twelve digits, with "-dirty" behind it when they had been edited), else "devel".
func String() string {
	if version != "" {
		return version
	}
	revision, _ := built()
	return strings.TrimSuffix("devel-"+revision, "-")
}

// Line returns what a program prints for --version: its name, a blank, the version, in brackets the commit and its date
// as far as they are known, a newline.
func Line(program string) string {
	revision, day := commit, date
	if version == "" {
		revision, day = built()
	}
	line := program + " " + String()
	if known := strings.Trim(revision+", "+day, ", "); known != "" {
		line += " (" + known + ")"
	}
	return line + "\n"
}

// built returns commit and date as the go command noted them.
func built() (revision, day string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	return fromBuild(info.Settings)
}

// fromBuild picks commit and date out of what the go command has noted about the sources.
func fromBuild(settings []debug.BuildSetting) (revision, day string) {
	const digits = 12 // of a revision; the go command's own pseudo-versions use as many
	var dirty string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(digits, len(s.Value))]
		case s.Key == "vcs.time":
			day = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return "", ""
	}
	return revision + dirty, day
}
