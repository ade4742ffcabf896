package arena_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/shuffle/arena"
)

// TestFullSharedMemory: what does not fit is an error that says so, leaves
// nothing behind, and does not harm what fits.
func TestFullSharedMemory(t *testing.T) {
	for _, huge := range []string{"never", "advise"} {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,huge="+huge); err != nil {
			t.Skipf("SKIPPED: this machine lets nobody mount shared memory: %v", err)
		}
		t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
		a, err := arena.Open(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		small, err := a.Get(3 << 20)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Get(20 << 20); !errors.Is(err, unix.ENOSPC) || !errors.Is(err, arena.ErrFull) {
			t.Errorf("huge=%s: 20 MiB of 8: %v", huge, err)
		}
		for i := range small.Bytes() {
			small.Bytes()[i] = byte(i)
		}
		if err := small.Publish("object", 3<<20); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(dir + "/object")
		if err != nil || len(b) != 3<<20 || b[3<<20-1] != byte(255) {
			t.Errorf("huge=%s: %d bytes, %v", huge, len(b), err)
		}
		s, err := a.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(make([]byte, 20<<20)); !errors.Is(err, arena.ErrFull) {
			t.Errorf("huge=%s: wrote 20 MiB of 8: %v", huge, err)
		}
		if n, err := s.Write(make([]byte, 1<<20)); err != nil {
			t.Errorf("huge=%s: wrote %d bytes of what fits: %v", huge, n, err)
		}
		if err := errors.Join(s.Discard(), a.Recycle("object"), a.Close()); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("huge=%s: left behind: %v, %v", huge, left, err)
		}
	}
}
