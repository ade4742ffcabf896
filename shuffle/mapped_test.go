package shuffle_test

import (
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// What a reader holds is a mapped file's, the kernel's to drop, or counts as the
// process's own: callers bound their memory by it.
func TestMapped(t *testing.T) {
	for _, c := range []struct {
		name  string
		rows  int
		codec string
		want  bool
	}{
		{"large", 80000, "", true},
		{"small, so read", 1000, "", false},
		{"compressed", 80000, "lz4", false},
	} {
		dir := t.TempDir()
		rec := blocktest.Record(memory.DefaultAllocator, pairSchema, c.rows, 0, 1)
		idx := commit(t, filepath.Join(dir, "object"), pairSchema, partition.First{}, 1,
			shuffle.PartitionedOptions{WriterOptions: shuffle.WriterOptions{Codec: c.codec}}, rec)
		r, err := (&shuffle.Source{Local: []string{dir}}).Open(t.Context(), idx, 0)
		if err != nil {
			t.Fatal(err)
		}
		if r.Mapped() != c.want {
			t.Errorf("%s, %d bytes: mapped %v", c.name, r.Bytes(), r.Mapped())
		}
		r.Random()
		got, err := r.Next()
		if err != nil || text(got) != text(rec) {
			t.Errorf("%s: other rows after Random, %v", c.name, err)
		}
		r.Close()
		if r.Random(); r.Mapped() {
			t.Errorf("%s: mapped after it was closed", c.name)
		}
		rec.Release()
	}
}
