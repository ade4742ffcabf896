package embedded_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("SKIPPED: this machine lets nobody mount a small disk: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	s := storetest.Start(t, storetest.Options(dir))
	c := storetest.Open(t, s.Access())
	small, big := storetest.Bytes(1<<20, 1), storetest.Bytes(20<<20, 2)
	if _, err := c.Put(t.Context(), "test/x", bytes.NewReader(small), 1<<20, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{20 << 20, -1} {
		_, err := c.Put(t.Context(), "test/x", bytes.NewReader(big), size, store.PutOptions{})
		var e *core.Error
		if !errors.Is(err, store.ErrFull) || !errors.As(err, &e) || e.Remedy == "" || !strings.Contains(err.Error(), "bytes free of") {
			t.Errorf("put on a full disk: %v", err)
		}
	}
	if got := storetest.ReadAll(t, c, "test/x"); !bytes.Equal(got, small) {
		t.Error("the old object is damaged")
	}
	if _, err := c.DeletePrefix(t.Context(), "test/x"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), "test/y", bytes.NewReader(big[:10<<20]), 10<<20, store.PutOptions{}); err != nil {
		t.Errorf("put after space was freed: %v", err)
	}
}
