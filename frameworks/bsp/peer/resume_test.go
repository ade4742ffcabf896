package peer_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

func (w *walk) Save(s *peer.SnapshotWriter) error {
	if err := s.Once("table", func(out io.Writer) error { _, err := out.Write(w.table); return err }); err != nil {
		return err
	}
	return s.Put("sum", binary.LittleEndian.AppendUint64(nil, w.sum))
}

func (w *walk) Load(r *peer.SnapshotReader) error {
	b, err := read(r, "sum")
	if err != nil {
		return err
	}
	w.sum = binary.LittleEndian.Uint64(b)
	if r.Fresh() {
		w.table, err = read(r, "table")
	}
	if len(w.table) != 3 {
		return fmt.Errorf("a table of %d bytes", len(w.table))
	}
	return err
}

func read(r *peer.SnapshotReader, section string) ([]byte, error) {
	f, err := r.Open(section)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// TestKill kills each rank in each phase of each superstep: rows and counters
// must be those of an undisturbed run.
func TestKill(t *testing.T) {
	const size, steps = 3, 8
	gang := peertest.Gang{Size: size, Program: func() peer.Program { return &walk{steps: steps} }, Every: 2}
	want := gang.Run(t)
	if want.Incarnations != 1 || want.Counters["steps"] != size*steps || len(want.Rows[0]) != 4 {
		t.Fatalf("undisturbed: %d incarnations, %v, %v", want.Incarnations, want.Counters, want.Rows[0])
	}
	for _, phase := range peertest.Phases {
		t.Run(phase.String(), func(t *testing.T) {
			struck := 0
			for rank := range size {
				for step := range int64(steps) {
					gang.Kills = []peertest.Kill{{Rank: rank, Superstep: step, Phase: phase}}
					gang.Link = peertest.Links[(rank+int(step))%3]
					got := gang.Run(t)
					struck += got.Incarnations - 1
					if !reflect.DeepEqual(got.Rows, want.Rows) || !reflect.DeepEqual(got.Counters, want.Counters) {
						t.Errorf("rank %d killed in superstep %d:\n%v %v\nwant\n%v %v", rank, step, got.Rows, got.Counters, want.Rows, want.Counters)
					}
				}
			}
			if struck == 0 {
				t.Error("no kill came about")
			}
		})
	}
}

// TestKills kills several ranks one after the other, and one twice.
func TestKills(t *testing.T) {
	gang := peertest.Gang{Size: 3, Program: func() peer.Program { return &walk{steps: 12} }, Every: 3}
	want := gang.Run(t)
	gang.Kills = []peertest.Kill{{Rank: 0, Superstep: 2}, {Rank: 2, Superstep: 5}, {Rank: 2, Superstep: 8, Phase: peertest.Midway}, {Rank: 1, Superstep: 11}}
	got := gang.Run(t)
	if got.Incarnations < 4 || !reflect.DeepEqual(got.Rows, want.Rows) || !reflect.DeepEqual(got.Counters, want.Counters) {
		t.Errorf("%d incarnations, %v\nwant %v", got.Incarnations, got.Rows, want.Rows)
	}
}
