package cli

import (
	"testing"

	"github.com/capstan-run/capstan/core"
)

func TestShuffledTellsWhatCameFromAfar(t *testing.T) {
	for want, from := range map[string]map[string]int64{
		"3.0 MB shuffled": {"local": 3e6},
		"3.0 MB shuffled (read: 1.0 MB from other executors, 2.0 MB from the store)": {"store": 2e6, "peer": 1e6},
	} {
		if got := shuffled(core.Report{Shuffled: 3e6, ReadFrom: from}); got != want {
			t.Errorf("%v: %q, want %q", from, got, want)
		}
	}
}
