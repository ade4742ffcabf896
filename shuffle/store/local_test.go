package store_test

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

// answer is all that a caller sees of a Get.
type answer struct {
	Body string
	Info store.Info
	Kind core.ErrKind
}

func get(t *testing.T, c *store.Client, path string, off, length int64) answer {
	t.Helper()
	r, info, err := c.Get(t.Context(), path, off, length)
	if err != nil {
		return answer{Kind: core.KindOf(err)}
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("%s, %d+%d: %v", path, off, length, err)
	}
	info.Modified = info.Modified.Truncate(1e9) // a header has seconds
	return answer{Body: string(b), Info: info}
}

// Who reads the files gets what the server answers, without asking it.
func TestFilesAnswerAsTheServerDoes(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	far, beside := storetest.Open(t, s.Access()), storetest.OpenBeside(t, s.Access())
	put(t, far, "test/a/full", storetest.Bytes(1000, 1))
	put(t, far, "test/empty", nil)
	put(t, far, "test/été +%", []byte("odd"))
	for _, c := range []struct {
		path        string
		off, length int64
		asks        bool // the server has the last word
	}{
		{"test/a/full", 0, -1, false}, {"test/a/full", 10, 20, false}, {"test/a/full", 990, 20, false}, {"test/a/full", 990, -1, false},
		{"test/a/full", 5, 0, false}, {"test/a/full", 1000, 1, true}, {"test/a/full", 2000, -1, true},
		{"test/empty", 0, -1, false}, {"test/empty", 0, 0, false}, {"test/été +%", 1, -1, false},
		{"test/a", 0, -1, true}, {"test/none", 0, -1, true}, {"other/none", 0, -1, true},
	} {
		before := beside.Stats()
		got, want := get(t, beside, c.path, c.off, c.length), get(t, far, c.path, c.off, c.length)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, %d+%d:\n%s", c.path, c.off, c.length, diff)
		}
		if n := beside.Stats().Sub(before).Requests(); (n > 0) != c.asks {
			t.Errorf("%s, %d+%d: %d requests", c.path, c.off, c.length, n)
		}
	}
	if far.Stats().Gets == 0 {
		t.Error("the client that is far away has sent no request")
	}
}

func TestFilesGiveRanges(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	c := storetest.OpenBeside(t, s.Access())
	b := storetest.Bytes(1000, 1)
	put(t, c, "test/a", b)
	before := c.Stats()
	into := [][]byte{make([]byte, 10), make([]byte, 100)}
	if err := c.ReadRanges(t.Context(), "test/a", []store.Range{{Off: 5, Len: 10}, {Off: 900, Len: 100}}, into); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(into[0], b[5:15]) || !bytes.Equal(into[1], b[900:]) {
		t.Error("other bytes")
	}
	if err := c.ReadRanges(t.Context(), "test/a", []store.Range{{Off: 950, Len: 100}}, into[1:]); err == nil {
		t.Error("a range goes beyond the end")
	}
	if n := c.Stats().Sub(before).Requests(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// Whoever has opened an object keeps its bytes, and the file is the object.
func TestFilesAreNeverChangedInPlace(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	c := storetest.OpenBeside(t, s.Access())
	old, fresh := storetest.Bytes(1000, 1), storetest.Bytes(2000, 2)
	put(t, c, "test/a", old)
	r, _, err := c.Get(t.Context(), "test/a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put(t, c, "test/a", fresh)
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, old) {
		t.Errorf("%d bytes of the old object, %v", len(b), err)
	}
	name, ok := c.LocalFile("test/a")
	if b, err := os.ReadFile(name); !ok || err != nil || !bytes.Equal(b, fresh) {
		t.Errorf("%d bytes at %q, %v", len(b), name, err)
	}
	for _, path := range []string{"test/none", "test", "not a path/../x"} {
		if name, ok := c.LocalFile(path); ok {
			t.Errorf("%s lies at %s", path, name)
		}
	}
	if name, ok := storetest.Open(t, s.Access()).LocalFile("test/a"); ok {
		t.Errorf("from another machine, it lies at %s", name)
	}
}
