package cli

import (
	"testing"

	"github.com/capstan-run/capstan/core"
)

// A question that asks for nothing is refused, not answered as if nothing had
// been asked.
func TestWhatIfChecksNumbers(t *testing.T) {
	for _, c := range []struct {
		o     otherwise
		given string
		ok    bool
	}{
		{otherwise{size: -1}, "size", false},
		{otherwise{size: 0}, "size", false},
		{otherwise{size: 3}, "size", true},
		{otherwise{priority: -5}, "priority", false},
		{otherwise{priority: 0}, "priority", true},
		{otherwise{priority: -1}, "", true},
	} {
		err := c.o.check(func(flag string) bool { return flag == c.given })
		if (err == nil) != c.ok || err != nil && core.KindOf(err) != core.Invalid {
			t.Errorf("%+v with --%s: %v", c.o, c.given, err)
		}
	}
}
