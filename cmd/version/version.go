// Package version knows which version of pen this is. The five programs share it.
package version

import "runtime/debug"

// version is set when a release is built: -ldflags "-X pen/cmd/version.version=1.2.3".
var version string

// String returns the version given at the build, else the revision that the sources were taken from
// ("devel-" and twelve digits, with "-dirty" behind it when they had been edited), else "devel".
func String() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return fromBuild(info.Settings)
}

// Line returns what a program prints for --version: its name, a blank, the version, a newline.
func Line(program string) string {
	return program + " " + String() + "\n"
}

// fromBuild makes a version of what the go command has noted about the sources.
func fromBuild(settings []debug.BuildSetting) string {
	const digits = 12 // of a revision; the go command's own pseudo-versions use as many
	var revision, dirty string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(digits, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel-" + revision + dirty
}
