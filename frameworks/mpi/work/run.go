package work

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// run is one start of this executor's ranks.
type run struct {
	*worker
	begin  *task.Begin
	layout spec.Layout
	server *pmi.Server
	ranks  []*rank
	keeper keeper
	stdin  *stdin             // of rank 0, where the console has it
	life   context.Context    // of the executor
	ctx    context.Context    // of the run: its ranks are killed when it ends
	kill   context.CancelFunc // ends ctx
	soon   chan time.Duration // a Stop's grace
	over   chan struct{}      // closed when all ranks have ended

	mu        sync.Mutex
	stopped   bool
	ended     []task.Ended
	fence     *task.Fence // that the ranks wait in
	let       chan []pmi.Pair
	passed    *task.Fenced
	questions map[int]*question
	asked     int
	published []pmi.Pair
}

func newRun(ctx context.Context, w *worker, b *task.Begin) *run {
	r := &run{worker: w, begin: b, life: ctx, over: make(chan struct{}), soon: make(chan time.Duration, 1),
		layout: spec.Layout{Ranks: b.Size(), PPN: b.PPN, Executors: len(b.Nodes)}, questions: map[int]*question{}}
	r.ctx, r.kill = context.WithCancel(ctx)
	first, count := r.layout.Of(w.env.Rank.Rank)
	for n := range count {
		r.ranks = append(r.ranks, newRank(r, first+n))
	}
	r.stdin = newStdin(r)
	r.keeper = newKeeper(w)
	r.server = pmi.NewServer(r.world(), count, r)
	return r
}

// world is what ranks are told of theirs.
func (r *run) world() pmi.World {
	w := pmi.World{Name: r.begin.World, Universe: r.begin.Universe, Put: r.begin.Put}
	var nodes []int
	for rank := range r.layout.Ranks {
		nodes = append(nodes, r.begin.Nodes[r.layout.Executor(rank)])
	}
	for n, p := range r.begin.Programs {
		for range p.Ranks {
			w.Programs = append(w.Programs, n)
		}
	}
	w.Mapping = pmi.Mapping(nodes)
	w.Grace = time.Duration(r.body.FinalizeGrace)
	return w
}

// play runs all ranks to their ends.
func (r *run) play() {
	defer close(r.over)
	defer r.kill()
	done := make(chan struct{})
	go r.watch(done)
	defer close(done)
	if err := r.keeper.bring(r.ctx); err != nil {
		r.refuse(err)
		return
	}
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(len(r.ranks)))
	for _, k := range r.ranks {
		all.Go(func() {
			e := k.play()
			if e.Lost() {
				r.server.Leave(r.ctx, k.number)
			}
			if left.Add(-1) == 0 {
				r.keeper.keep(r.life) // law W6
			}
			r.mu.Lock()
			e.Stopped = r.stopped
			r.ended = append(r.ended, *e)
			r.mu.Unlock()
			_ = r.send(r.life, &task.Up{Ended: e})
		})
	}
	all.Wait()
}

// refuse ends all ranks before they began.
func (r *run) refuse(err error) {
	f := core.AsError(err)
	flat := &core.Error{Kind: f.Kind, What: f.Error(), Remedy: f.Remedy}
	for _, k := range r.ranks {
		e := &task.Ended{Run: r.begin.Run, Rank: k.number, Code: 1, Fault: flat}
		r.mu.Lock()
		e.Stopped = r.stopped
		r.ended = append(r.ended, *e)
		r.mu.Unlock()
		_ = r.send(r.life, &task.Up{Ended: e})
	}
}

// stop has all ranks told to terminate, and killed a while later.
func (r *run) stop(grace time.Duration) {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	if grace <= 0 {
		r.kill()
		return
	}
	select {
	case r.soon <- grace:
	default: // it was said already
	}
}

// watch carries a Stop out.
func (r *run) watch(done <-chan struct{}) {
	select {
	case grace := <-r.soon:
		for _, k := range r.ranks {
			k.terminate()
		}
		late := time.NewTimer(grace)
		defer late.Stop()
		select {
		case <-late.C:
			r.kill()
		case <-done:
		}
	case <-done:
	}
}

// holds adds what the run has to h (law W4).
func (r *run) holds(h *task.Holds) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.Run, h.Fence, h.Passed = r.begin.Run, r.fence, r.passed
	h.Ended = append(h.Ended, r.ended...)
	h.Published = append(h.Published, r.published...)
	for _, q := range r.questions {
		h.Asks = append(h.Asks, q.Ask)
	}
}

// dead tells the ranks which are lost, as MPICH asks for it.
func (r *run) dead(ranks []int) { r.server.Dead(ranks) }

// look is what the ranks that have not ended are doing.
func (r *run) look() []task.Look {
	var list []task.Look
	for _, k := range r.ranks {
		if l, ok := k.look(); ok {
			list = append(list, l)
		}
	}
	return list
}
