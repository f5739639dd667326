package engine

import (
	"runtime"
	"runtime/debug"
	"testing"

	"pen/conf"
)

func TestPercentFor(t *testing.T) {
	tests := []struct {
		live uint64
		want int
	}{
		{0, 400}, {1 << 20, 400}, {4 << 20, 400}, {8 << 20, 200}, {16 << 20, 100}, {1 << 30, 100},
	}
	for _, tt := range tests {
		if got := percentFor(tt.live); got != tt.want {
			t.Errorf("%d bytes: got %d %%, want %d", tt.live, got, tt.want)
		}
	}
}

// percent reads the setting, for which there is no other way than to set it.
func percent() int {
	p := debug.SetGCPercent(goPercent)
	debug.SetGCPercent(p)
	return p
}

func TestHeapPace(t *testing.T) {
	t.Setenv("GOGC", "")
	collect := func(want func(int) bool) func() bool {
		return func() bool { runtime.GC(); return want(percent()) }
	}
	t.Run("with TLS", func(t *testing.T) {
		startTLS(t, ecdsaKey, func(s *conf.Settings, v *conf.Service) { v.Servers = []conf.Server{named(t, "a")} })
		eventually(t, "the collector is slowed down", collect(func(p int) bool { return p > goPercent }))
	})
	eventually(t, "Go's rule holds again", collect(func(p int) bool { return p == goPercent }))
}
