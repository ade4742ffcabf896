package work

import (
	"bytes"
	"context"
	"os"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

const (
	// windowBytes bounds what of a stream is on its way to the console: beyond it
	// the rank has to wait, as it would for a slow terminal.
	windowBytes = 256 << 10
	// patience is how long the output of a killed rank is kept for a console that
	// does not take it.
	patience = 2 * time.Second
)

// forward is a stream of a rank on its way to the console. A nil forward takes
// nothing.
type forward struct {
	rank *rank
	err  bool

	saying sync.Mutex // what is said is said in the order of its places

	mu    sync.Mutex
	at    int64
	kept  []*task.Output // not taken yet, in order
	bytes int
	room  chan struct{} // closed and replaced when some was taken
}

func newForward(k *rank, err bool) *forward {
	return &forward{rank: k, err: err, room: make(chan struct{})}
}

// send passes data on; it waits while too much is on its way.
func (f *forward) send(data []byte) {
	if f == nil || !f.wait() {
		return
	}
	f.saying.Lock()
	defer f.saying.Unlock()
	f.mu.Lock()
	o := &task.Output{Run: f.rank.begin.Run, Rank: f.rank.number, Err: f.err, At: f.at, Data: bytes.Clone(data)}
	f.at += int64(len(data))
	f.bytes += len(data)
	f.kept = append(f.kept, o)
	f.mu.Unlock()
	_ = f.rank.send(f.rank.life, &task.Up{Output: o})
}

// wait returns true when there is room, and false when nobody will take more.
func (f *forward) wait() bool {
	var late <-chan time.Time
	killed := f.rank.ctx.Done()
	for {
		f.mu.Lock()
		full, room := f.bytes >= windowBytes, f.room
		f.mu.Unlock()
		if !full {
			return true
		}
		select {
		case <-room:
		case <-killed:
			killed, late = nil, time.After(patience)
		case <-late:
			return false
		case <-f.rank.life.Done():
			return false
		}
	}
}

func (f *forward) taken(to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.kept) > 0 && f.kept[0].At+int64(len(f.kept[0].Data)) <= to {
		f.bytes -= len(f.kept[0].Data)
		f.kept = f.kept[1:]
	}
	close(f.room)
	f.room = make(chan struct{})
}

// again says once more what was not taken (law W4). The caller holds saying.
func (f *forward) again(ctx context.Context) {
	f.mu.Lock()
	kept := append([]*task.Output(nil), f.kept...)
	f.mu.Unlock()
	for _, o := range kept {
		_ = f.rank.send(ctx, &task.Up{Output: o})
	}
}

// taken frees what the console has.
func (r *run) taken(t *task.Taken) {
	first, n := r.layout.Of(r.env.Rank.Rank)
	if t.Rank < first || t.Rank >= first+n {
		return
	}
	f := r.ranks[t.Rank-first].out.forward[0]
	if t.Err {
		f = r.ranks[t.Rank-first].out.forward[1]
	}
	if f != nil {
		f.taken(t.To)
	}
}

// again says once more what of the console's is not taken, after the word that it
// does. No rank says anything new meanwhile. A nil run has nothing.
func (r *run) again(ctx context.Context, send func(context.Context, *task.Up) error) error {
	var list []*forward
	if r != nil {
		for _, k := range r.ranks {
			for _, f := range k.out.forward {
				if f != nil {
					f.saying.Lock()
					defer f.saying.Unlock()
					list = append(list, f)
				}
			}
		}
	}
	if err := send(ctx, &task.Up{Retold: true}); err != nil {
		return err
	}
	for _, f := range list {
		f.again(ctx)
	}
	if r != nil {
		r.stdin.again(ctx)
	}
	return nil
}

// stdin is what rank 0 reads of the console.
type stdin struct {
	run *run

	mu   sync.Mutex
	pipe *os.File // our end; nil: not open
	at   int64
}

func newStdin(r *run) *stdin { return &stdin{run: r} }

// open makes the rank's end, and asks for the first of it.
func (s *stdin) open() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, core.Errorf(core.Failed, "no pipe to the rank: %v", err).Do("raise the limit of open files")
	}
	s.mu.Lock()
	s.pipe = w
	s.mu.Unlock()
	context.AfterFunc(s.run.ctx, s.close)
	s.again(s.run.life)
	return r, nil
}

// again asks for what comes next, if the rank can still read it.
func (s *stdin) again(ctx context.Context) {
	s.mu.Lock()
	want := &task.Want{Run: s.run.begin.Run, At: s.at}
	open := s.pipe != nil
	s.mu.Unlock()
	if open {
		_ = s.run.send(ctx, &task.Up{Want: want})
	}
}

// take writes input to the rank, beside the caller: it may read late.
func (s *stdin) take(in *task.Input) {
	s.mu.Lock()
	pipe, next := s.pipe, in.At == s.at
	if pipe != nil && next {
		s.at += int64(len(in.Data))
	}
	s.mu.Unlock()
	switch {
	case pipe == nil || !next:
	case len(in.Data) == 0:
		s.close()
	default:
		s.run.running.Go(func() {
			if _, err := pipe.Write(in.Data); err != nil {
				s.close() // the rank reads no more
				return
			}
			s.again(s.run.life)
		})
	}
}

func (s *stdin) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipe != nil {
		s.pipe.Close()
		s.pipe = nil
	}
}
