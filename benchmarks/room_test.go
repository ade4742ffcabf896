package benchmarks

import (
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

func TestRoomRefusesWhatTheDiskCannotHold(t *testing.T) {
	b := &bench{Config: Config{Cache: t.TempDir()}}
	if err := b.room(1e6, 3); err != nil {
		t.Error(err)
	}
	err := b.room(1e16, 3)
	if e := core.AsError(err); e.Kind != core.Invalid || e.Where != b.Cache || !strings.Contains(e.What, "takes 3.3e+04 TB") || !strings.Contains(e.Remedy, "--cache") {
		t.Errorf("%v", err)
	}
	b.Cache = "/no/such/directory"
	if err := b.room(1e6, 3); core.KindOf(err) != core.Denied {
		t.Errorf("%v", err)
	}
}
