package work

import (
	"context"
	"slices"

	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// A run is the fabric of its server: what concerns other executors goes through
// the coordinator.
var _ pmi.Fabric = (*run)(nil)

// question is what a rank asked and nobody has answered yet.
type question struct {
	task.Ask
	answer chan *task.Answer
}

// Fence is pmi.Fabric's. It is the run's, not the rank's that came last: that one
// may be lost.
func (r *run) Fence(_ context.Context, n int, put []pmi.Pair) ([]pmi.Pair, error) {
	let := make(chan []pmi.Pair, 1)
	f := &task.Fence{Run: r.begin.Run, N: n, Put: put}
	r.mu.Lock()
	r.fence, r.let = f, let
	r.mu.Unlock()
	if err := r.send(r.ctx, &task.Up{Fence: f}); err != nil {
		return nil, err
	}
	select {
	case all := <-let:
		return all, nil
	case <-r.ctx.Done():
		return nil, context.Cause(r.ctx)
	}
}

func (r *run) fenced(f *task.Fenced) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fence == nil || r.fence.N != f.N {
		return
	}
	r.fence, r.passed = nil, f
	r.let <- f.All
}

// ask is a round trip to the coordinator.
func (r *run) ask(ctx context.Context, a task.Ask) (*task.Answer, error) {
	r.mu.Lock()
	r.asked++
	a.Run, a.ID = r.begin.Run, r.asked
	q := &question{a, make(chan *task.Answer, 1)}
	r.questions[a.ID] = q
	r.mu.Unlock()
	if err := r.send(ctx, &task.Up{Ask: &a}); err != nil {
		return nil, err
	}
	select {
	case answer := <-q.answer:
		switch {
		case answer.Err != nil:
			return answer, answer.Err
		case answer.None:
			return answer, pmi.ErrUnknownName
		case answer.Known:
			return answer, pmi.ErrKnownName
		}
		return answer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (r *run) answered(a *task.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.questions[a.ID]
	if q == nil {
		return
	}
	delete(r.questions, a.ID)
	switch {
	case a.Err != nil || a.Known || a.None:
	case q.Verb == task.Publish:
		r.published = append(r.published, pmi.Pair{Key: q.Name, Value: q.Port})
	case q.Verb == task.Unpublish:
		r.published = slices.DeleteFunc(r.published, func(p pmi.Pair) bool { return p.Key == q.Name })
	}
	q.answer <- a
}

// Publish is pmi.Fabric's.
func (r *run) Publish(ctx context.Context, name, port string) error {
	_, err := r.ask(ctx, task.Ask{Verb: task.Publish, Name: name, Port: port})
	return err
}

// Unpublish is pmi.Fabric's.
func (r *run) Unpublish(ctx context.Context, name string) error {
	_, err := r.ask(ctx, task.Ask{Verb: task.Unpublish, Name: name})
	return err
}

// Lookup is pmi.Fabric's.
func (r *run) Lookup(ctx context.Context, name string) (string, error) {
	a, err := r.ask(ctx, task.Ask{Verb: task.Lookup, Name: name})
	if err != nil {
		return "", err
	}
	return a.Port, nil
}

// Spawn is pmi.Fabric's.
func (r *run) Spawn(ctx context.Context, s pmi.Spawn) error {
	_, err := r.ask(ctx, task.Ask{Verb: task.SpawnVerb, Spawn: &s})
	return err
}
