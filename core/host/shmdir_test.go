package host_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// A gang's ranks share a directory in shared memory, which goes with the gang.
func TestShm(t *testing.T) {
	r := newRig(t)
	id := r.submit(2, "")
	r.until(id, "running", func(j core.Job) bool { return j.State == core.Running })
	close(r.roll.hold)
	r.until(id, "the end", final) // by then every rank has made its file, or the job would have failed
	r.swept(id)
}

// What a host that is gone left in shared memory is removed by the next one,
// whatever its state directory; what a living gang has is not.
func TestSweepShm(t *testing.T) {
	r := newRig(t)
	id := r.submit(1, "")
	r.until(id, "running", func(j core.Job) bool { return j.State == core.Running })
	others := t.TempDir()
	for name, target := range map[string]string{
		"capstan-gang-dead":  filepath.Join(others, "gone"),
		"capstan-gang-alive": others,
	} {
		dir := filepath.Join(r.shm(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, ".gang")); err != nil {
			t.Fatal(err)
		}
	}
	r.close()
	r.open()
	left, err := os.ReadDir(r.shm())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range left {
		names[e.Name()] = true
	}
	if len(left) != 2 || !names["capstan-gang-alive"] {
		t.Errorf("in shared memory are %v; want another host's living gang and our own", names)
	}
	close(r.roll.hold)
	r.until(id, "the end", final)
	if err := os.RemoveAll(filepath.Join(r.shm(), "capstan-gang-alive")); err != nil {
		t.Fatal(err)
	}
	r.swept(id)
}
