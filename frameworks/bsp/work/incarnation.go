package work

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// joinWithin is how long ranks that all said hello may take to find each other.
const joinWithin = 30 * time.Second

// incarnation is one run of the program in this executor.
type incarnation struct {
	*Worker
	begin    *task.Begin
	number   int
	ctx      context.Context // of the run: it ends with a Stop
	cancel   context.CancelFunc
	life     context.Context // of the worker: answers are sent after a Stop, too
	ended    context.Context // is over once run has returned
	end      context.CancelFunc
	returned chan struct{}
	wanted   atomic.Bool // a checkpoint is, at the next barrier
	fresh    bool        // this process has not run the program before
}

func newIncarnation(ctx context.Context, w *Worker, b *task.Begin) *incarnation {
	i := &incarnation{Worker: w, begin: b, number: b.Incarnation, life: ctx, returned: make(chan struct{})}
	i.ctx, i.cancel = context.WithCancel(ctx)
	i.ended, i.end = context.WithCancel(context.Background())
	return i
}

func (i *incarnation) over() bool { return i.ended.Err() != nil }

// run answers with Done or Ended (law T2 of package task).
func (i *incarnation) run() {
	defer close(i.returned)
	defer i.cancel()
	if i.number > 1 {
		i.recallSeries(i.ctx)
	}
	i.gauge.begin(i.number)
	done, err := i.try()
	up := &task.Up{}
	if err != nil {
		up.Ended = i.failure(err)
	} else {
		up.Done = done
		i.mu.Lock()
		i.Worker.done = done
		i.mu.Unlock()
	}
	i.end()
	_ = i.send(i.life, up) // after the end nobody listens
}

// try turns a panic of the program into its failure.
func (i *incarnation) try() (done *task.Done, err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := string(debug.Stack())
			err = &core.Error{Kind: core.Failed, What: fmt.Sprintf("panic: %v", p), Detail: stack[:min(len(stack), 8<<10)]}
		}
	}()
	if err := i.prepare(); err != nil {
		return nil, err
	}
	var from *manifest
	if c := i.begin.Resume; c != nil {
		if from, err = i.keeps.find(i.ctx, *c); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	m, err := i.join()
	if err != nil {
		return nil, err
	}
	rows := i.rows()
	defer rows.abort()
	if err := i.compute(m, rows, from); err != nil {
		m.Abort() // lest others wait for this rank
		return nil, err
	}
	ctx, cancel := context.WithTimeout(i.ctx, joinWithin)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		i.env.Log.Debug("close the mesh", "err", err)
	}
	return i.result(rows)
}

// prepare makes the program, and makes it anew where all begin anew: what it
// holds would be of a run that does not count.
func (i *incarnation) prepare() error {
	if i.program != nil && i.begin.Resume != nil {
		return nil
	}
	i.fresh = true
	var err error
	i.program, err = i.make(Make{Body: i.body, Vertices: i.begin.Vertices, Store: i.store, Files: i.env.Files})
	return err
}

func (i *incarnation) join() (*mesh.Mesh, error) {
	ctx, cancel := context.WithTimeout(i.ctx, joinWithin)
	defer cancel()
	rank := i.env.Rank
	c := mesh.Config{
		ID:   fmt.Sprintf("%s/%d/%d", rank.Job, rank.Epoch, i.number),
		Rank: rank.Rank, Size: len(i.begin.Hosts), Dir: i.env.Shared, Arena: i.share.arena,
	}
	for _, h := range i.begin.Hosts {
		c.Places = append(c.Places, mesh.Place{Host: h})
	}
	m, err := mesh.Join(ctx, c)
	if err != nil {
		return nil, errJoin{err}
	}
	return m, nil
}

// errJoin is an error of joining the mesh: another rank may be lost.
type errJoin struct{ error }

func (e errJoin) Unwrap() error { return e.error }

func (i *incarnation) rows() *rows {
	return &rows{ctx: i.ctx, store: i.store, prefix: i.env.Store.Prefix, scratch: i.env.Scratch, out: i.body.Output,
		rank: i.env.Rank.Rank, size: len(i.begin.Hosts), incarnation: i.number, preview: newPreview(i.body.Preview)}
}

func (i *incarnation) compute(m *mesh.Mesh, rows *rows, from *manifest) error {
	c := peer.Config{
		Mesh: m, Arena: i.share.arena,
		Cores: max(1, int((i.env.CPU+999)/1000)), Memory: i.share.peer, Limit: limitFor, Scratch: i.env.Scratch,
		Splits: i.begin.Splits, Reading: Reading(i.body.Input, i.store), Output: rows,
		Every: *i.body.Checkpoint.Every, Period: time.Duration(*i.body.Checkpoint.Period),
		Due:     i.wanted.Load,
		Observe: i.gauge.observe, Log: i.env.Log,
	}
	c.Checkpoints = i.keeps.of(i.number, from, func(p task.Written) {
		i.wanted.Store(false)
		i.wrote(i.life, p)
	})
	if i.env.Shm != "" {
		c.Table = filepath.Join(i.env.Shm, fmt.Sprintf("bsp-%d", i.number))
	}
	if from != nil {
		c.Resume = &peer.Resume{Superstep: from.Superstep, Sections: from.created(), Fresh: i.fresh}
	}
	return peer.Run(i.ctx, c, i.program)
}

// result puts what the rank wrote into the store.
func (i *incarnation) result(rows *rows) (*task.Done, error) {
	if err := rows.closePart(); err != nil {
		return nil, err
	}
	part := output.SidePart("supersteps.csv", i.env.Rank.Rank)
	side, err := i.gauge.put(i.ctx, output.NewPart(i.store, i.env.Store.Prefix, i.name(), i.number, part, i.env.Scratch))
	if err != nil {
		return nil, err
	}
	total, counters := i.gauge.sum()
	return &task.Done{
		Incarnation: i.number, Superstep: total.Number, Total: total, Counters: counters,
		Parts: rows.sealed.Parts, Columns: rows.sealed.Columns, Preview: rows.preview.list(),
		Side: []output.Part{side}, CPUNanos: cpu(), RecordsIn: i.gauge.read(),
	}, nil
}

// cpu is what this process has used.
func cpu() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// failure says why the run ended.
func (i *incarnation) failure(err error) *task.Ended {
	total, _ := i.gauge.sum()
	e := &task.Ended{Incarnation: i.number, Superstep: total.Number, Lost: -1, Err: *core.AsError(err)}
	if i.begin.Resume != nil {
		e.Superstep = max(e.Superstep, i.begin.Resume.Superstep)
	}
	var lost *mesh.PeerError
	var other *peer.RankError
	var join errJoin
	switch {
	case i.ctx.Err() != nil:
		e.Err = core.Error{Kind: core.Cancelled, What: "stopped"}
	case errors.Is(err, context.Canceled): // the peer ends the program's context when a rank is lost
	case errors.Is(err, errDamaged):
		e.Damaged = true
	case errors.As(err, &lost):
		e.Lost = lost.Rank
	case errors.As(err, &other):
		e.Lost = other.Rank
	case errors.As(err, &join):
	default:
		e.Fatal = true
	}
	return e
}
