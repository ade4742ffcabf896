package shuffle_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// script is a link whose producer says what was written down.
type script [][]byte

func (s *script) Recv(context.Context) ([]byte, error) {
	if len(*s) == 0 {
		return nil, io.EOF
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b, nil
}

// FuzzFollow lets a producer say anything, after a proper opening or instead of
// it, about a spill file that exists. Follow returns an error that voids the
// rows, or an index that is safe to read by; and readers neither panic nor hang.
func FuzzFollow(f *testing.F) {
	dir := f.TempDir()
	said := spoken(f, dir)
	for i := range said {
		f.Add(said[i], uint8(i))
		f.Add(append(bytes.Clone(said[i]), 0), uint8(i))
	}
	f.Add([]byte{2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, uint8(1))
	f.Add([]byte{3, 2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, after uint8) {
		src := &shuffle.Source{Local: []string{dir}}
		live := shuffle.NewLive(2, 1<<20)
		reader := follow(t, live, src, 0)
		defer reader.close()
		s := append(slices.Clone(script(said[:int(after)%len(said)])), b)
		err := live.Follow(t.Context(), src, &s, pairSchema)
		if err != nil && !errors.Is(err, shuffle.ErrAborted) {
			t.Fatalf("%v does not void what was read", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for {
			rec, err := reader.r.Next(ctx)
			if err != nil {
				break
			}
			_ = text(rec)
		}
	})
}

// spoken returns what is announced: an opening, two runs and an index. It leaves the
// spill file in dir, under its name, and the object.
func spoken(f *testing.F, dir string) [][]byte {
	live := shuffle.NewLive(2, 1<<20)
	a, err := live.Announcer(0, 2)
	if err != nil {
		f.Fatal(err)
	}
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, &partition.RoundRobin{Partitions: 2}, 2,
		shuffle.PartitionedOptions{Budget: 1, Live: live})
	if err != nil {
		f.Fatal(err)
	}
	for range 3 {
		if err := w.Write(pairs("a", "b", "-")); err != nil {
			f.Fatal(err)
		}
	}
	spill, err := filepath.Glob(filepath.Join(dir, ".spill-*"))
	if err != nil || len(spill) != 1 {
		f.Fatal(spill, err)
	}
	if err := os.Link(spill[0], spill[0]+"x"); err != nil {
		f.Fatal(err)
	}
	p, ended := make(pipe), make(chan error, 1)
	go func() { ended <- a.Run(f.Context(), p) }()
	said := [][]byte{<-p, <-p, <-p}
	if _, err := w.Commit(f.Context()); err != nil {
		f.Fatal(err)
	}
	said = append(said, <-p)
	if err := <-ended; err != nil {
		f.Fatal(err)
	}
	if err := os.Rename(spill[0]+"x", spill[0]); err != nil {
		f.Fatal(err)
	}
	return said
}
