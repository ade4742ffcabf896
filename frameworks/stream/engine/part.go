package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/multilang"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Config is what a topology is run with.
type Config struct {
	Topology *topology.Topology // that was bound
	// Store keeps epochs and state; Results is where s3:// is, or nil.
	Store   snapshot.Store
	Results operator.Bucket
	Log     io.Writer // of sinks "log"
	// Owner names this try at running the topology: no two have one name.
	Owner string
	// Dir and Env are where processes run, Scratch is where they note their pids,
	// Logger takes what they say of themselves.
	Dir     string
	Scratch string
	Env     []string
	Logger  *slog.Logger
	// Mesh leads to the other ranks that run the topology, which divide its tasks
	// among them; nil: there are none.
	Mesh *mesh.Mesh
	// Batch is about how many tuples a source emits at once; default 1024.
	Batch int
}

// Part is tasks of a topology, linked, in this process.
type Part struct {
	Tasks []*Task // of this rank, by id
	byID  map[int]*Task
	links []*Link
	out   bridge
	owner string
	store snapshot.Store
	first int64 // the first epoch that it hands in
	tell  func(epoch.Event)
}

// NewPart makes a rank's tasks of a topology, as they were at an epoch, or from
// the beginning. tell takes what they have to say, from any goroutine.
func NewPart(ctx context.Context, c Config, from *snapshot.Manifest, tell func(epoch.Event)) (*Part, error) {
	p := &Part{owner: c.Owner, store: c.Store, first: 1, tell: tell, byID: map[int]*Task{}, out: bridge{mesh: c.Mesh, pending: make(chan struct{}, 1)}}
	if from != nil {
		p.first = from.Epoch + 1
		if err := fits(c.Topology, from); err != nil {
			return nil, err
		}
	}
	for _, t := range c.Topology.Tasks() {
		if p.out.home(t) == p.out.rank() {
			task := &Task{Task: t, part: p, exact: c.Topology.Guarantee != topology.AtLeastOnce, handed: p.first - 1, bell: make(chan struct{}, 1)}
			p.Tasks, p.byID[t.ID] = append(p.Tasks, task), task
		}
	}
	for _, t := range p.Tasks {
		if err := p.make(ctx, t, c, from); err != nil {
			p.Close()
			return nil, fmt.Errorf("make task %d of %s: %w", t.ID, t.Component.ID, err)
		}
	}
	if err := p.link(c.Topology); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close lets go of what the tasks hold. None may be stepping.
func (p *Part) Close() {
	for _, t := range p.Tasks {
		t.close()
	}
	for _, l := range p.links {
		l.drop()
	}
}

// fits refuses a topology that would lose what an epoch has.
func fits(t *topology.Topology, m *snapshot.Manifest) error {
	if m.Groups != t.Groups {
		return core.Errorf(core.Conflict, "the epoch has %d key groups, and the topology %d", m.Groups, t.Groups).Do("leave keyGroups as it was")
	}
	for _, piece := range m.Pieces {
		if piece.State == "" && piece.Position == nil {
			continue
		}
		if t.Component(piece.Component) == nil {
			return core.Errorf(core.Conflict, "epoch %d has state of component %q, which the topology no longer has", m.Epoch, piece.Component).
				Do("keep the component under its id, or begin anew in another place")
		}
	}
	return nil
}

// make makes a task's instance and brings it to where it was.
func (p *Part) make(ctx context.Context, t *Task, c Config, from *snapshot.Manifest) error {
	m := operator.Make{Task: t.Task, Groups: c.Topology.Groups, Store: c.Store, Results: c.Results, Owner: c.Owner, Batch: c.Batch, Log: c.Log}
	for _, e := range c.Topology.Into(t.Component.ID) {
		m.In = append(m.In, topology.Input{From: e.From, Stream: e.Stream, Grouping: e.Grouping,
			Fields: c.Topology.Component(e.From).Output(e.Stream).Fields})
	}
	m.Urge = func() { p.tell(epoch.Urged{}) }
	m.Topology, m.Wake, m.Logger, m.Dir, m.Env, m.Scratch = c.Topology, t.ring, c.Logger, c.Dir, c.Env, c.Scratch
	if m.Logger == nil {
		m.Logger = slog.New(slog.DiscardHandler)
	}
	made, err := instance(ctx, m)
	if err != nil {
		return err
	}
	pieces := from.Of(t.Component.ID)
	switch made := made.(type) {
	case operator.Source:
		t.source = made
		var positions []json.RawMessage
		for _, piece := range pieces {
			positions = append(positions, piece.Position)
		}
		return made.Seek(positions)
	case operator.Sink:
		t.sink = made
	case operator.Operator:
		t.oper = made
		t.lagging, _ = made.(operator.Lagging)
		if k, ok := made.(operator.Keyed); ok {
			return p.restore(ctx, k, pieces)
		}
	}
	return nil
}

// instance makes a process's instance, or a built-in's.
func instance(ctx context.Context, m operator.Make) (any, error) {
	switch c := m.Task.Component; {
	case len(c.Exec) == 0:
		return operator.New(m)
	case c.Role == topology.Source:
		return multilang.NewSpout(ctx, m)
	default:
		return multilang.NewBolt(ctx, m)
	}
}

func (p *Part) restore(ctx context.Context, k operator.Keyed, pieces []snapshot.Piece) error {
	for _, piece := range pieces {
		if piece.State == "" {
			continue
		}
		b, err := p.store.Get(ctx, piece.State)
		if err != nil {
			return err
		}
		if err := k.Restore(b); err != nil {
			return fmt.Errorf("restore %s: %w", piece.State, err)
		}
	}
	return nil
}

// Trigger has the sources begin an epoch.
func (p *Part) Trigger(number int64) {
	for _, t := range p.Tasks {
		if t.source != nil {
			t.Trigger(number)
		}
	}
}

// Passed tells the sources that an epoch was committed.
func (p *Part) Passed(number int64) {
	for _, t := range p.Tasks {
		if t.source != nil {
			t.Passed(number)
		}
	}
}

// Publish has a sink's task publish a part.
//
// A task of another rank is that rank's to tell.
func (p *Part) Publish(e epoch.Publish) {
	if t := p.byID[e.Task]; t != nil {
		t.Publish(e)
	}
}
