package version

import (
	"runtime/debug"
	"testing"
)

func TestFromBuild(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	tests := []struct {
		name string
		in   []debug.BuildSetting
		want string
	}{
		{"no revision", nil, "devel"},
		{"clean", []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "false"}}, "devel-0123456789ab"},
		{"edited", []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "true"}}, "devel-0123456789ab-dirty"},
		{"short revision", []debug.BuildSetting{{Key: "vcs.revision", Value: "17"}}, "devel-17"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fromBuild(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLineUsesTheVersionOfTheBuild(t *testing.T) {
	old := version
	defer func() { version = old }()
	version = "1.2.3"
	if got, want := Line("penctl"), "penctl 1.2.3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
