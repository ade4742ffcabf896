package shuffle_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	liveIfChild()
	storetest.ServeIfChild()
	os.Exit(m.Run())
}

// TestStoreRungOverS3 uploads to the embedded store and reads each partition
// back with ranged GETs.
func TestStoreRungOverS3(t *testing.T) {
	dir := t.TempDir()
	server := storetest.Start(t, storetest.Options(dir))
	client := storetest.Open(t, server.Access())
	schema := blocktest.SchemaOf(blocktest.Types()...)
	path := filepath.Join(dir, "object")
	var batches []batch
	for p := range 3 {
		batches = append(batches, batch{p, blocktest.Record(memory.DefaultAllocator, schema, 200+p, 0.1, uint64(p))})
	}
	idx := write(t, path, schema, 4, batches...)
	if err := shuffle.Upload(t.Context(), client, path, idx, "test/job/object"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	src := &shuffle.Source{Local: []string{dir}, Objects: client}
	for p, b := range batches {
		got, rung, err := readAll(src, idx, p)
		if err != nil || rung != shuffle.RungStore || !slices.Equal(got, []string{text(b.rec)}) {
			t.Errorf("partition %d: %d batches from %s, %v", p, len(got), rung, err)
		}
	}
	if n := client.Stats().Gets; n < int64(len(batches)) {
		t.Errorf("%d GETs for %d partitions", n, len(batches))
	}
	idx.Object = "test/job/other"
	_, _, err := readAll(src, idx, 0)
	lost(t, err)
}
