package version

import (
	"runtime/debug"
	"testing"
)

func TestFromBuild(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	tests := []struct {
		name     string
		in       []debug.BuildSetting
		revision string
		day      string
	}{
		{"no revision", nil, "", ""},
		{"clean", []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "false"}}, "0123456789ab", ""},
		{"edited", []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "true"}}, "0123456789ab-dirty", ""},
		{"short revision", []debug.BuildSetting{{Key: "vcs.revision", Value: "17"}}, "17", ""},
		{"date", []debug.BuildSetting{{Key: "vcs.revision", Value: "17"}, {Key: "vcs.time", Value: "2026-11-26T14:00:00Z"}}, "17", "2026-11-26T14:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if revision, day := fromBuild(tt.in); revision != tt.revision || day != tt.day {
				t.Errorf("got %q and %q, want %q and %q", revision, day, tt.revision, tt.day)
			}
		})
	}
}

func TestLine(t *testing.T) {
	tests := []struct {
		name                  string
		version, commit, date string
		want                  string
	}{
		{"all is known", "1.2.3", "0123456789ab", "2026-11-26T14:00:00Z", "penctl 1.2.3 (0123456789ab, 2026-11-26T14:00:00Z)\n"},
		{"no commit", "1.2.3", "", "2026-11-26T14:00:00Z", "penctl 1.2.3 (2026-11-26T14:00:00Z)\n"},
		{"no date", "1.2.3", "0123456789ab", "", "penctl 1.2.3 (0123456789ab)\n"},
		{"nothing but the version", "1.2.3", "", "", "penctl 1.2.3\n"},
		{"a test is no release", "", "", "", "penctl devel\n"},
	}
	oldVersion, oldCommit, oldDate := version, commit, date
	defer func() { version, commit, date = oldVersion, oldCommit, oldDate }()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			version, commit, date = tt.version, tt.commit, tt.date
			if got := Line("penctl"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
