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

	"github.com/capstan-run/capstan/shuffle/block/blocktest"
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

// TestPyarrowOpensEveryPartition holds the format against the C++ reader. It
// takes the interpreter of $CAPSTAN_PYTHON, else python3, if that has pyarrow.
func TestPyarrowOpensEveryPartition(t *testing.T) {
	python := os.Getenv("CAPSTAN_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import pyarrow").CombinedOutput(); err != nil {
		t.Skipf("NOT CHECKED AGAINST PYARROW: %s cannot import it: %v %s", python, err, bytes.TrimSpace(out))
	}
	// pyarrow has no reader for the two older interval types.
	types := slices.DeleteFunc(blocktest.Types(), func(dt arrow.DataType) bool {
		return dt.ID() == arrow.INTERVAL_MONTHS || dt.ID() == arrow.INTERVAL_DAY_TIME
	})
	schema := blocktest.SchemaOf(types...)
	path := filepath.Join(t.TempDir(), "object")
	var batches []batch
	for p := range 4 {
		whole := blocktest.Record(memory.DefaultAllocator, schema, 30+p, float64(p)/3, uint64(p))
		batches = append(batches, batch{p, whole.NewSlice(int64(p), whole.NumRows())})
	}
	idx := write(t, path, schema, 5, batches...)
	for _, b := range batches {
		part := idx.Partitions[b.partition]
		out, err := exec.Command(python, "-c", readPartition, path, fmt.Sprint(part.Offset), fmt.Sprint(part.Length)).CombinedOutput()
		want := []string{fmt.Sprint(b.rec.NumRows())}
		for _, c := range b.rec.Columns() {
			want = append(want, fmt.Sprint(c.NullN()))
		}
		if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, want) {
			t.Errorf("partition %d: pyarrow says %s, %v; want %v", b.partition, out, err, want)
		}
	}
}
