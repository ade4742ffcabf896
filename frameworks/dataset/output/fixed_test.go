package output

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestFixedRowsHaveOneLength(t *testing.T) {
	for _, c := range []struct {
		rows  [][2]string
		want  string
		fault string
	}{
		{[][2]string{{"ab", "c"}, {"d", "ef"}}, "abcdef", ""},
		{[][2]string{{"ab", "c"}, {"d", "e"}}, "", "a row of 2 bytes after rows of 3"},
		{[][2]string{{"", ""}}, "", "a row of 0 bytes"},
	} {
		var out bytes.Buffer
		w, err := New(&out, Options{Format: "fixed", Compression: "none", Schema: arrow.NewSchema([]arrow.Field{{Name: "key", Type: arrow.BinaryTypes.Binary}}, nil)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.rows {
			if err = w.(*Fixed).WriteKV([]byte(r[0]), []byte(r[1])); err != nil {
				break
			}
		}
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%v: %v", c.rows, err)
			}
			continue
		}
		if err := w.Close(); err != nil || out.String() != c.want {
			t.Errorf("%v gave %q, %v", c.rows, out.String(), err)
		}
	}
}

func TestFixedRefusesNumbers(t *testing.T) {
	s := arrow.NewSchema([]arrow.Field{{Name: "key", Type: arrow.BinaryTypes.String}, {Name: "value", Type: arrow.PrimitiveTypes.Int64}}, nil)
	if _, err := New(new(bytes.Buffer), Options{Format: "fixed", Schema: s}); err == nil || !strings.Contains(err.Error(), `column "value" is of type int64`) {
		t.Errorf("numbers of fixed length: %v", err)
	}
}

// TestPartWithinMemory holds what fits the memory it is given, gives it back,
// and writes what does not fit to scratch space.
func TestPartWithinMemory(t *testing.T) {
	st := startStore(t)
	for name, c := range map[string]struct{ room, chunks int }{"fits": {8 << 20, 8}, "does not": {6 << 20, 8}} {
		scratch, pool := t.TempDir(), new(arena.Pool)
		w := NewPart(st, "test/jobs/a/1/", "map-00000", 3, ResultPart(0, "text", ""), scratch).Within(pool, c.room)
		var want []byte
		for i := range c.chunks {
			chunk := storetest.Bytes(1<<20, uint64(i))
			if _, err := w.Write(chunk); err != nil {
				t.Fatal(err)
			}
			want = append(want, chunk...)
		}
		if held := w.file == nil; held != (name == "fits") {
			t.Errorf("%s: in memory: %v", name, held)
		}
		p, err := w.Close(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(storetest.ReadAll(t, st, p.Object), want) {
			t.Errorf("%s: the object differs", name)
		}
		if pool.Live() != 0 {
			t.Errorf("%s: %d blocks are kept", name, pool.Live())
		}
		pool.Close()
	}
}

// TestCommitLinks: where the store's files are on the destination's file system,
// the result is those files, and what is removed from the store stays there.
func TestCommitLinks(t *testing.T) {
	st := storetest.OpenBeside(t, storetest.Start(t, storetest.Options(t.TempDir())).Access())
	dir := t.TempDir() + "/out"
	out := dataset.Output{Path: "file://" + dir, Format: "text"}
	parts := writeParts(t, st, out, "test/jobs/a/1/")
	own, ok := st.LocalFile(parts[0].Object)
	if !ok {
		t.Fatal("the store's files are not here")
	}
	before, err := os.Stat(own)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Commit(ctx, st, out, parts, Meta{Job: "a", Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(filepath.Join(dir, parts[0].Path()))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the part was copied: %v", err)
	}
	if err := st.Delete(ctx, parts[0].Object); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, parts[0].Path())); err != nil || int64(len(b)) != parts[0].Bytes {
		t.Errorf("after the store forgot it: %d bytes, %v", len(b), err)
	}
}
