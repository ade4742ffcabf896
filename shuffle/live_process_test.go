package shuffle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// liveEnv is set for a process that is one end of a live edge: its part, then
// the directory.
const liveEnv = "SHUFFLE_TEST_LIVE"

// Tags of the mesh between the two ends.
const (
	edgeTag    mesh.Tag = iota // announcements
	commandTag                 // what the test tells the child, and its answers
)

// liveIfChild plays the part the environment asks for, and does not return.
func liveIfChild() {
	part, dir, ok := strings.Cut(os.Getenv(liveEnv), " ")
	if !ok {
		return
	}
	if err := liveChild(part, dir); err != nil {
		fmt.Fprintln(os.Stderr, "live edge's other end:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func joinLive(ctx context.Context, dir string, rank int) (*mesh.Mesh, error) {
	return mesh.Join(ctx, mesh.Config{ID: "live", Rank: rank, Size: 2, Dir: dir, Places: []mesh.Place{{Host: "h"}, {Host: "h"}}})
}

func liveChild(part, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := joinLive(ctx, dir, 1)
	if err != nil {
		return err
	}
	edge, command := mesh.Line{Mesh: m, Tag: edgeTag}, mesh.Line{Mesh: m, Tag: commandTag}
	if part == "producer" {
		err = produce(ctx, dir, edge, command)
	} else {
		err = consume(ctx, dir, edge, command)
	}
	if err != nil {
		return err
	}
	return m.Close(ctx)
}

// produce does as it is told: write a run, commit, or abort. It answers with
// the words, or the index.
func produce(ctx context.Context, dir string, edge, command mesh.Line) error {
	live := shuffle.NewLive(2, 1<<20)
	a, err := live.Announcer(0, 1)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, edge) }()
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.First{}, 2, shuffle.PartitionedOptions{Budget: 1, Live: live})
	if err != nil {
		return err
	}
	defer w.Abort()
	for n := 0; ; n++ {
		word, err := command.Recv(ctx)
		if err != nil {
			return err
		}
		answer := word
		switch string(word) {
		case "commit":
			idx, err := w.Commit(ctx)
			if err != nil {
				return err
			}
			if answer, err = idx.MarshalBinary(); err != nil {
				return err
			}
		case "abort":
			w.Abort()
		default:
			if err := w.Write(pairs(string(word), fmt.Sprint("run ", n))); err != nil {
				return err
			}
		}
		if err := command.Send(ctx, answer); err != nil {
			return err
		}
		if s := string(word); s == "commit" || s == "abort" {
			return <-ended
		}
	}
}

// consume reads partition 0 and tells of each record.
func consume(ctx context.Context, dir string, edge, command mesh.Line) error {
	live, src := shuffle.NewLive(2, 1<<20), &shuffle.Source{Local: []string{dir}}
	r, err := live.Reader(src, 0)
	if err != nil {
		return err
	}
	go func() { _ = live.Follow(ctx, src, edge, pairSchema) }()
	for {
		rec, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if err := command.Send(ctx, []byte(text(rec))); err != nil {
			return err
		}
	}
}

// otherEnd is the child, seen from the test.
type otherEnd struct {
	t       *testing.T
	ctx     context.Context
	cmd     *exec.Cmd
	mesh    *mesh.Mesh
	edge    mesh.Line
	command mesh.Line
}

// startOtherEnd runs the part in a process of its own.
func startOtherEnd(t *testing.T, part, dir string) *otherEnd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	o := &otherEnd{t: t, ctx: ctx, cmd: exec.Command(os.Args[0])}
	o.cmd.Env = append(os.Environ(), liveEnv+"="+part+" "+dir)
	o.cmd.Stderr = os.Stderr
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m, err := joinLive(ctx, dir, 0)
	if err != nil {
		o.kill()
		t.Fatal(err)
	}
	o.mesh = m
	t.Cleanup(m.Abort)
	o.edge, o.command = mesh.Line{Mesh: m, Peer: 1, Tag: edgeTag}, mesh.Line{Mesh: m, Peer: 1, Tag: commandTag}
	return o
}

// kill ends the child without a chance to clean up.
func (o *otherEnd) kill() {
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
}

// tell has the child do something, and returns its answer when it is done.
func (o *otherEnd) tell(word string) []byte {
	o.t.Helper()
	if err := o.command.Send(o.ctx, []byte(word)); err != nil {
		o.t.Fatal(err)
	}
	b, err := o.command.Recv(o.ctx)
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

// leave waits for the child, which has no more to do.
func (o *otherEnd) leave() {
	o.t.Helper()
	if err := o.mesh.Close(o.ctx); err != nil {
		o.t.Error(err)
	}
	if err := o.cmd.Wait(); err != nil {
		o.t.Errorf("the other end: %v", err)
	}
}

// farReader reads partition 0 of a producer in another process.
type farReader struct {
	*otherEnd
	src      *shuffle.Source
	r        *shuffle.LiveReader
	followed chan error
	rows     []string
}

func readFar(t *testing.T, dir string) *farReader {
	f := &farReader{otherEnd: startOtherEnd(t, "producer", dir), src: &shuffle.Source{Local: []string{dir}, Metrics: new(shuffle.Metrics)}, followed: make(chan error, 1)}
	live := shuffle.NewLive(2, 1<<20)
	var err error
	if f.r, err = live.Reader(f.src, 0); err != nil {
		t.Fatal(err)
	}
	go func() { f.followed <- live.Follow(f.ctx, f.src, f.edge, pairSchema) }()
	return f
}

// read reads one record and returns its error.
func (f *farReader) read() error {
	rec, err := f.r.Next(f.ctx)
	if err == nil {
		f.rows = append(f.rows, split(rec)...)
	}
	return err
}

// finish commits, reads the rest, and compares it all with the object.
func (f *farReader) finish() {
	f.t.Helper()
	idx := new(shuffle.Index)
	if err := idx.UnmarshalBinary(f.tell("commit")); err != nil {
		f.t.Fatal(err)
	}
	var err error
	for err == nil {
		err = f.read()
	}
	f.r.Close()
	want, oops := rowsOf(&shuffle.Source{Local: f.src.Local}, idx, 0)
	if err != io.EOF || oops != nil || !slices.Equal(f.rows, want) {
		f.t.Errorf("%d rows, %v; want %d, %v", len(f.rows), err, len(want), oops)
	}
	if err := <-f.followed; err != nil {
		f.t.Error(err)
	}
	f.leave()
	if left := names(f.t, f.src.Local[0]); !slices.Equal(left, []string{"object"}) {
		f.t.Errorf("left behind: %v", left)
	}
}

// TestLiveAcrossProcesses reads a producer in another process: each run before
// the next is written, or nothing before the commit.
func TestLiveAcrossProcesses(t *testing.T) {
	t.Run("faster", func(t *testing.T) {
		f := readFar(t, t.TempDir())
		f.tell("first") // stays in memory until the second
		for i := range 10 {
			f.tell("next")
			if err := f.read(); err != nil || len(f.rows) != 2*i+2 {
				t.Fatalf("%d rows after run %d, %v", len(f.rows), i, err)
			}
		}
		f.finish()
	})
	t.Run("slower", func(t *testing.T) {
		f := readFar(t, t.TempDir())
		for range 200 {
			f.tell("next")
		}
		f.finish()
	})
	t.Run("gone", func(t *testing.T) {
		f := readFar(t, t.TempDir())
		f.tell("first")
		f.tell("next")
		if err := f.read(); err != nil {
			t.Fatal(err)
		}
		f.r.Close()
		for range 200 {
			f.tell("next")
		}
		f.tell("commit")
		if err := <-f.followed; err != nil {
			t.Error(err)
		}
		f.leave()
	})
}

// TestLiveProducerEnds in another process, by word or by SIGKILL, while a
// consumer waits for it: its rows are void, and no file is left.
func TestLiveProducerEnds(t *testing.T) {
	for name, end := range map[string]func(*farReader){
		"aborts": func(f *farReader) { f.tell("abort") },
		"killed": func(f *farReader) { f.kill() },
	} {
		t.Run(name, func(t *testing.T) {
			f := readFar(t, t.TempDir())
			for range 3 {
				f.tell("next")
			}
			for range 2 {
				if err := f.read(); err != nil {
					t.Fatal(err)
				}
			}
			spillIn(t, f.src.Local[0])
			told := make(chan error, 1)
			go func() { told <- f.read() }()
			end(f)
			if err := <-told; !errors.Is(err, shuffle.ErrAborted) {
				t.Errorf("%v, want that the producer ended", err)
			}
			if err := <-f.followed; !errors.Is(err, shuffle.ErrAborted) {
				t.Errorf("followed: %v, want that the producer ended", err)
			}
			f.r.Close()
			if name != "killed" {
				f.leave()
			}
			if left := names(f.t, f.src.Local[0]); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestLiveConsumerIsKilled: the producer goes on, and commits.
func TestLiveConsumerIsKilled(t *testing.T) {
	dir := t.TempDir()
	o := startOtherEnd(t, "consumer", dir)
	live := shuffle.NewLive(2, 1<<20)
	a, err := live.Announcer(0, 2)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(o.ctx, o.edge) }()
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, "object"), pairSchema, partition.First{}, 2, shuffle.PartitionedOptions{Budget: 1, Live: live})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for i := range 100 {
		if err := w.Write(pairs("a", "b")); err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			if _, err := o.command.Recv(o.ctx); err != nil {
				t.Fatal(err)
			}
			o.kill()
			for err == nil { // until it is known to be lost
				_, err = o.command.Recv(o.ctx)
			}
		}
	}
	if err := <-ended; !errors.Is(err, mesh.ErrLost) {
		t.Errorf("%v, want that the consumer is lost", err)
	}
	idx, err := w.Commit(t.Context())
	if err != nil || idx.Rows() != 200 {
		t.Errorf("%v, want 200 rows", err)
	}
}
