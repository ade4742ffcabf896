package shuffle_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// readPartition prints the rows and null counts of the Arrow stream in a byte
// range of a file, after pyarrow's own full validation.
const readPartition = `
import sys, pyarrow as pa
path, off, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path, "rb") as f:
    f.seek(off)
    data = f.read(n)
table = pa.ipc.open_stream(pa.py_buffer(data)).read_all()
table.validate(full=True)
print(table.num_rows, *[c.null_count for c in table.columns])
`

// python returns an interpreter that has pyarrow: that of $CAPSTAN_PYTHON, else
// python3. Without one the test says so and is skipped.
func python(t *testing.T) string {
	t.Helper()
	python := os.Getenv("CAPSTAN_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import pyarrow").CombinedOutput(); err != nil {
		t.Skipf("NOT CHECKED AGAINST PYARROW: %s cannot import it: %v %s", python, err, bytes.TrimSpace(out))
	}
	return python
}

// pyarrowTypes are the types that pyarrow reads: it has no reader for the two
// older interval types.
func pyarrowTypes() []arrow.DataType {
	return slices.DeleteFunc(blocktest.Types(), func(dt arrow.DataType) bool {
		return dt.ID() == arrow.INTERVAL_MONTHS || dt.ID() == arrow.INTERVAL_DAY_TIME
	})
}

// pyarrowReads compares what pyarrow finds in a partition with the rows and
// null counts of the records it was made of.
func pyarrowReads(t *testing.T, python, path string, part shuffle.Partition, recs ...arrow.Record) {
	t.Helper()
	out, err := exec.Command(python, "-c", readPartition, path, fmt.Sprint(part.Offset), fmt.Sprint(part.Length)).CombinedOutput()
	counts := make([]int, 1+len(recs[0].Columns()))
	for _, rec := range recs {
		counts[0] += int(rec.NumRows())
		for i, c := range rec.Columns() {
			counts[1+i] += c.NullN()
		}
	}
	want := strings.Fields(strings.Trim(fmt.Sprint(counts), "[]"))
	if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, want) {
		t.Errorf("pyarrow says %s, %v; want %v", out, err, want)
	}
}

// TestPyarrowOpensEveryPartition holds the format against the C++ reader:
// every type, dictionaries among them, with each codec.
func TestPyarrowOpensEveryPartition(t *testing.T) {
	python := python(t)
	schema := blocktest.SchemaOf(pyarrowTypes()...)
	path := filepath.Join(t.TempDir(), "object")
	for _, codec := range []string{"", "lz4", "zstd"} {
		w, err := shuffle.Create(path, schema, 5, shuffle.WriterOptions{Codec: codec})
		if err != nil {
			t.Fatal(err)
		}
		var recs []arrow.Record
		for p := range 4 {
			whole := blocktest.Record(memory.DefaultAllocator, schema, 300+p, float64(p)/3, uint64(p))
			recs = append(recs, whole.NewSlice(int64(p), whole.NumRows()))
			if err := w.Write(p, recs[p]); err != nil {
				t.Fatal(err)
			}
		}
		idx, err := w.Commit()
		if err != nil {
			t.Fatal(err)
		}
		for p, rec := range recs {
			pyarrowReads(t, python, path, idx.Partitions[p], rec)
		}
	}
}

// TestPyarrowOpensScatteredPartitions: those of a PartitionedWriter, in one run
// and in several.
func TestPyarrowOpensScatteredPartitions(t *testing.T) {
	python := python(t)
	schema := blocktest.SchemaOf(pyarrowTypes()...)
	path := filepath.Join(t.TempDir(), "object")
	rec := blocktest.Record(memory.DefaultAllocator, schema, 400, 0.2, 1)
	for _, budget := range []int64{0, 1} {
		for _, codec := range []string{"", "lz4", "zstd"} {
			o := shuffle.PartitionedOptions{Budget: budget}
			o.Codec = codec
			// Of its halves too: the dictionaries of records differ.
			idx := commit(t, path, schema, partition.First{}, 2, o, rec.NewSlice(0, 150), rec.NewSlice(150, 400))
			pyarrowReads(t, python, path, idx.Partitions[0], rec)
		}
	}
}

// TestPyarrowOpensMergedDictionaries: joined out of three that differ.
func TestPyarrowOpensMergedDictionaries(t *testing.T) {
	python := python(t)
	dir := t.TempDir()
	src := &shuffle.Source{Local: []string{dir}}
	for _, codec := range []string{"", "lz4", "zstd"} {
		o := shuffle.PartitionedOptions{}
		o.Codec = codec
		var recs []arrow.Record
		var in []*shuffle.Index
		for i := range 3 {
			recs = append(recs, blocktest.Record(memory.DefaultAllocator, dictSchema, 300, 0.2, uint64(i)))
			in = append(in, commit(t, filepath.Join(dir, fmt.Sprint("task-", i)), dictSchema, partition.First{}, 1, o, recs[i]))
		}
		path := filepath.Join(dir, "wave")
		got, err := shuffle.Merge(t.Context(), path, src, in, shuffle.MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pyarrowReads(t, python, path, got.Partitions[0], recs...)
	}
}

// TestPyarrowOpensPrunedDictionaries: of the words that the partition uses.
func TestPyarrowOpensPrunedDictionaries(t *testing.T) {
	python := python(t)
	path := filepath.Join(t.TempDir(), "object")
	all := wordRows(1000, 30_000, 1)
	rest, first := all.NewSlice(20, 1000), all.NewSlice(0, 20)
	by := partition.Func(func(rec arrow.Record, ids []int32) error { // the last rows to the second partition
		for i := range ids {
			ids[i] = min(1, int32(rec.NumRows()/100))
		}
		return nil
	})
	for _, codec := range []string{"", "lz4", "zstd"} {
		o := shuffle.PartitionedOptions{}
		o.Codec = codec
		idx := commit(t, path, all.Schema(), by, 60, o, first, rest)
		if n := idx.Partitions[0].Dictionaries[0].Rows; n > 20 {
			t.Errorf("%d words in a partition of 20 rows", n)
		}
		pyarrowReads(t, python, path, idx.Partitions[0], first)
		pyarrowReads(t, python, path, idx.Partitions[1], rest)
	}
}
