package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Loom runs a topology in one goroutine, in virtual time, in an order and with
// faults that follow from a seed (law N6). It is how topologies are tried.
type Loom struct {
	Seed uint64
	// Crash is how probable it is that the run ends, at each step, and a new one
	// begins from the last epoch; Freeze that it stands still instead and goes on
	// beside the new one; Refuse that a call of the store fails, before it was
	// carried out or after.
	Crash, Freeze, Refuse float64
	// Steps bounds the whole run; default 10 million.
	Steps int
}

// Woven is what came of it.
type Woven struct {
	Steps, Lives, Fenced int
	Epochs               int64 // committed
	Millis               int64 // of virtual time
}

// Run runs c until it is done. c.Owner is the beginning of its owners' names.
func (l Loom) Run(ctx context.Context, c Config) (Woven, error) {
	w := &weaving{Loom: l, c: c, random: rand.New(rand.NewPCG(l.Seed, 1))}
	if w.Steps == 0 {
		w.Loom.Steps = 10_000_000
	}
	if l.Refuse > 0 {
		w.c.Store = &refusing{Store: c.Store, random: w.random, often: l.Refuse}
	}
	defer w.end()
	for w.woven.Steps = 0; w.woven.Steps < w.Loom.Steps; w.woven.Steps++ {
		if err := ctx.Err(); err != nil {
			return w.woven, err
		}
		done, err := w.step(ctx)
		if done || err != nil {
			return w.woven, err
		}
	}
	return w.woven, core.Errorf(core.Failed, "the topology is not done after %d steps", w.Loom.Steps)
}

// weaving is a Loom at work.
type weaving struct {
	Loom
	c      Config
	random *rand.Rand
	lives  []*life // the last one counts; those before were frozen
	woven  Woven
}

// life is one run of the topology.
type life struct {
	part    *Part
	machine *epoch.Machine
	events  []epoch.Event // not heard yet
	commits []*snapshot.Manifest
	done    bool
}

func (w *weaving) end() {
	for _, f := range w.lives {
		f.part.Close()
	}
}

func (w *weaving) chance(p float64) bool { return p > 0 && w.random.Float64() < p }

// step lets one life do one thing.
func (w *weaving) step(ctx context.Context) (done bool, err error) {
	if len(w.lives) == 0 {
		return false, w.begin(ctx)
	}
	w.woven.Millis += int64(w.random.IntN(3))
	current := len(w.lives) - 1
	switch {
	case w.chance(w.Crash):
		w.drop(current)
		return false, nil
	case w.chance(w.Freeze):
		return false, w.begin(ctx)
	}
	at := w.random.IntN(len(w.lives))
	f := w.lives[at]
	err = w.live(ctx, f)
	switch {
	case err != nil && (errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrExists)):
		if errors.Is(err, store.ErrExists) {
			w.woven.Fenced++
		}
		w.drop(at)
		return false, nil
	case err != nil:
		return false, err
	}
	return f.done && at == len(w.lives)-1, nil
}

func (w *weaving) drop(at int) {
	w.lives[at].part.Close()
	w.lives = append(w.lives[:at:at], w.lives[at+1:]...)
}

// begin begins a life from the last epoch, beside those that were frozen.
func (w *weaving) begin(ctx context.Context) error {
	last, err := snapshot.Last(ctx, w.c.Store)
	if errors.Is(err, store.ErrUnavailable) {
		return nil // again, with the next step
	}
	if err != nil {
		return err
	}
	w.woven.Lives++
	c := w.c
	c.Owner = fmt.Sprintf("%s-%d", w.c.Owner, w.woven.Lives)
	f := &life{machine: epoch.New(c.Topology, c.Owner)}
	f.part, err = NewPart(ctx, c, last, func(e epoch.Event) { f.events = append(f.events, e) })
	if errors.Is(err, store.ErrUnavailable) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(w.lives) > 2 {
		w.drop(0)
	}
	w.lives = append(w.lives, f)
	w.hear(f, epoch.Begin{Last: last})
	return nil
}

// live lets a life do one thing: hear, commit, or step a task.
func (w *weaving) live(ctx context.Context, f *life) error {
	switch n := w.random.IntN(4); {
	case n == 0 && len(f.events) > 0:
		e := f.events[0]
		f.events = f.events[1:]
		w.hear(f, e)
		return nil
	case n == 0 && len(f.commits) > 0:
		return w.commit(ctx, f)
	case n == 0:
		w.hear(f, epoch.Tick{})
		return nil
	}
	_, err := f.part.Tasks[w.random.IntN(len(f.part.Tasks))].Step(ctx)
	return err
}

// commit writes a manifest; where the store gave no answer, again later.
func (w *weaving) commit(ctx context.Context, f *life) error {
	m := f.commits[0]
	err := snapshot.Commit(ctx, w.c.Store, m)
	if errors.Is(err, store.ErrUnavailable) {
		return nil
	}
	if err != nil {
		return err
	}
	f.commits = f.commits[1:]
	w.woven.Epochs = max(w.woven.Epochs, m.Epoch)
	f.events = append(f.events, epoch.Committed{Epoch: m.Epoch})
	return nil
}

func (w *weaving) hear(f *life, e epoch.Event) {
	for _, effect := range f.machine.Step(w.woven.Millis, e) {
		switch e := effect.(type) {
		case epoch.Trigger:
			f.part.Trigger(e.Epoch)
		case epoch.Commit:
			f.commits = append(f.commits, e.Manifest)
		case epoch.Passed:
			f.part.Passed(e.Epoch)
		case epoch.Publish:
			f.part.Publish(e)
		case epoch.Done:
			f.done = true
		}
	}
}

// refusing is a store that fails now and then.
type refusing struct {
	snapshot.Store
	random *rand.Rand
	often  float64
}

// call fails before the call, or after it, or not at all.
func (r *refusing) call(do func() error) error {
	refusal := &core.Error{Kind: core.Internal, What: "the loom refuses", Err: store.ErrUnavailable}
	switch p := r.random.Float64(); {
	case p < r.often/2:
		return refusal
	case p < r.often:
		_ = do() // carried out, and the answer lost
		return refusal
	}
	return do()
}

func (r *refusing) Put(ctx context.Context, name string, b []byte) error {
	return r.call(func() error { return r.Store.Put(ctx, name, b) })
}

func (r *refusing) Commit(ctx context.Context, name string, b []byte) error {
	return r.call(func() error { return r.Store.Commit(ctx, name, b) })
}

func (r *refusing) Get(ctx context.Context, name string) (b []byte, err error) {
	err = r.call(func() error { b, err = r.Store.Get(ctx, name); return err })
	return b, err
}
