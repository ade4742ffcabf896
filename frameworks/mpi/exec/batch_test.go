package exec

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

var batchSchema = arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String}}, nil)

// batches sends two record batches to rank 1, and gets them back with another row.
func batches(ctx context.Context, world *mpi.Comm) error {
	records, err := mpi.NewRecords(world, batchSchema)
	if err != nil {
		return err
	}
	for _, rows := range []int{3, 50_000} {
		rec := batch(rows)
		err := records.Send(ctx, 1, 4, rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
	for _, rows := range []int{3, 50_000} {
		got, from, err := records.Recv(ctx, 1, 5)
		if err != nil {
			return err
		}
		want := batch(rows + 1)
		same := array.RecordEqual(got, want)
		fmt.Println("from", from, "rows", got.NumRows(), "as they should be", same)
		got.Release()
		want.Release()
	}
	return nil
}

func batch(rows int) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, batchSchema)
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("row ", i))
	}
	return b.NewRecord()
}

// Record batches go from Go to Python and back.
func TestBatches(t *testing.T) {
	if exec.Command(python(t), "-c", "import pyarrow").Run() != nil {
		t.Skip("no pyarrow: set CAPSTAN_PYTHON to an interpreter that has it")
	}
	all := play(t, goRank("batches"), script(t, `
import pyarrow as pa
w = mpi.world()
schema = pa.schema([("id", pa.int64()), ("name", pa.string())])
got = [w.recv_batch(schema, 0, 4) for _ in range(2)]
for b in got:
    n = b.num_rows
    more = pa.Table.from_batches([b, pa.record_batch([[n], [f"row {n}"]], schema=schema)]).combine_chunks().to_batches()[0]
    w.send_batch(more, 0, 5)
try:
    w._begin(16, None, view=memoryview(b"no stream"), peer=0, tag=5, kind=64, waits=True)._take()
except mpi.MPIError as e:
    print(e)
`))
	if want := "from 1 rows 4 as they should be true\nfrom 1 rows 50001 as they should be true\n"; all[0].output != want || all[0].code != 0 {
		t.Errorf("%d\n%s", all[0].code, all[0].output)
	}
	if r := all[1]; r.code != 0 || !strings.Contains(r.output, "no stream in Arrow's format") {
		t.Errorf("%d\n%s", r.code, r.output)
	}
}
