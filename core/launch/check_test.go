package launch_test

import (
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core/launch"
)

func TestReason(t *testing.T) {
	for code, want := range map[int]string{
		0: "exit status 0", 3: "exit status 3", 128: "exit status 128", 137: "killed by signal 9",
		143: "killed by signal 15", 255: "exit status 255", -1: "ended while no host watched",
	} {
		if got := launch.Reason(code); got != want {
			t.Errorf("Reason(%d) = %q, want %q", code, got, want)
		}
	}
}

// An id is one element of a path and a container's name, whatever it is.
func FuzzValidID(f *testing.F) {
	for _, id := range []string{"wordcount-x7.1.main.3", "", ".", "..", "a/b", "-a", "a\n", "ä", strings.Repeat("a", 181)} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if !launch.ValidID(id) {
			return
		}
		if id == "" || len(id) > 180 || id[0] == '.' || strings.ContainsAny(id, "/\\ \n\x00:") {
			t.Errorf("%q is taken for an id", id)
		}
	})
}
