package work

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// FuzzManifest reads manifests whose checksums are right: each is refused as
// damaged, or is the same after it was written again.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"incarnation":1,"superstep":5,"sections":{"program-ranks":{"superstep":5,"file":"a","bytes":7}}}`))
	f.Add([]byte(`{"superstep":-1,"sections":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := decodeManifest(io.NopCloser(bytes.NewReader(framed(t, text))))
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Errorf("it is not damaged, but %v", err)
			}
			return
		}
		b, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeManifest(io.NopCloser(bytes.NewReader(b)))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Error(d)
		}
	})
}

// FuzzNames reads names of files: what a name says makes that name again.
func FuzzNames(f *testing.F) {
	c := task.Checkpoint{Incarnation: 2, Superstep: 17}
	f.Add(manifestName(c, 3))
	f.Add(sectionName(c, 3, "program-ranks"))
	f.Add("new-123")
	f.Fuzz(func(t *testing.T, name string) {
		c, rank, ok := nameOf(name)
		if !ok {
			return
		}
		if again, r, ok := nameOf(manifestName(c, rank)); !ok || again != c || r != rank {
			t.Errorf("%q is of %v, rank %d, whose name is of %v, rank %d", name, c, rank, again, r)
		}
	})
}
