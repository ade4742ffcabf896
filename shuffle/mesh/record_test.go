package mesh_test

import (
	"errors"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/mesh/meshtest"
)

// TestRecords sends records of every type, small and large, over every kind of
// link.
func TestRecords(t *testing.T) {
	for name, kind := range map[string]meshtest.Make{"process": inProcess, "shared": sameHost, "network": network} {
		t.Run(name, func(t *testing.T) {
			ctx, g := meshtest.Deadline(t), meshtest.Join(t, kind(t, 2))
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			schema := blocktest.SchemaOf(blocktest.Types()...)
			send, err := mesh.NewRecords(g[0], schema)
			must(t, err)
			recv, err := mesh.NewRecords(g[1], schema)
			must(t, err)
			rows := []int{0, 1, 100, 5000}
			var want []arrow.Record
			for i, n := range rows {
				want = append(want, blocktest.Record(mem, schema, n, 0.2, uint64(i)))
			}
			var group errgroup.Group
			group.Go(func() error {
				for _, rec := range want {
					if err := send.Send(ctx, 1, 3, rec); err != nil {
						return err
					}
				}
				return nil
			})
			var got []arrow.Record
			for range rows {
				rec, from, err := recv.Recv(ctx, mesh.Any, 3)
				must(t, err)
				if from != 0 {
					t.Errorf("record from rank %d", from)
				}
				got = append(got, rec)
			}
			must(t, group.Wait())
			g.Close(t) // records outlive the mesh
			for i, rec := range got {
				if !array.RecordEqual(rec, want[i]) {
					t.Errorf("record of %d rows differs", rows[i])
				}
				rec.Release()
				want[i].Release()
			}
		})
	}
}

// TestRecordsMalformed receives what is no record of the schema.
func TestRecordsMalformed(t *testing.T) {
	ctx, g := meshtest.Deadline(t), meshtest.Join(t, inProcess(t, 1))
	r, err := mesh.NewRecords(g[0], blocktest.SchemaOf(blocktest.Flat()...))
	must(t, err)
	for _, n := range []int{0, 7, 100, 100000} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * 7)
		}
		var group errgroup.Group
		group.Go(func() error { return g[0].Send(ctx, 0, 0, b) })
		if _, _, err := r.Recv(ctx, 0, 0); !errors.Is(err, block.ErrMalformed) {
			t.Errorf("%d bytes of nonsense: %v", n, err)
		}
		must(t, group.Wait())
	}
	if _, err := mesh.NewRecords(g[0], blocktest.SchemaOf(arrow.BinaryTypes.StringView)); core.KindOf(err) != core.Invalid {
		t.Errorf("a schema that cannot be written: %v", err)
	}
	g.Close(t)
}

// TestRecordsWait has a record wait for a rank that does not receive: records
// to another rank pass meanwhile.
func TestRecordsWait(t *testing.T) {
	ctx, g := meshtest.Deadline(t), meshtest.Join(t, network(t, 3))
	schema := blocktest.SchemaOf(arrow.PrimitiveTypes.Int64)
	var ends [3]*mesh.Records
	for rank := range ends {
		var err error
		ends[rank], err = mesh.NewRecords(g[rank], schema)
		must(t, err)
	}
	rec := blocktest.Record(memory.DefaultAllocator, schema, 20000, 0.2, 1) // too large for the window
	var group errgroup.Group
	group.Go(func() error { return ends[0].Send(ctx, 1, 0, rec) })
	for range 3 {
		group.Go(func() error { return ends[0].Send(ctx, 2, 0, rec) })
		expectRecord(t, ends[2], rec)
	}
	expectRecord(t, ends[1], rec)
	must(t, group.Wait())
	g.Close(t)
}

func expectRecord(t *testing.T, r *mesh.Records, want arrow.Record) {
	t.Helper()
	got, from, err := r.Recv(meshtest.Deadline(t), mesh.Any, 0)
	must(t, err)
	defer got.Release()
	if from != 0 || !array.RecordEqual(got, want) {
		t.Errorf("another record came from rank %d", from)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
