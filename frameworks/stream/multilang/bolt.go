package multilang

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

const (
	// deathsInARow is how often a process may end without an ack in between.
	deathsInARow = 3
	// mostReady is how many emits wait to be collected before the process is read
	// no further.
	mostReady = 8192
	// mostHeld is how many emits may wait for their tuples to be acked.
	mostHeld = 1 << 20
	// ahead is how many lists of task ids a process finds waiting.
	ahead = 512
)

// Bolt is a task of a component that is a process.
type Bolt struct {
	of       operator.Make
	settings settings
	tuples   tuples
	schemas  []*arrow.Schema
	outs     map[string]int
	over     chan struct{} // closed by Close
	watching sync.WaitGroup

	mu      sync.Mutex
	drained *sync.Cond
	ledger  *ledger
	targets *targets
	process *process
	broken  error // why the process is no more; Collect starts another
	fatal   error // what ends the run
	written int   // lists of task ids that were written
	told    int   // emits that one was for
	deaths  int   // since acks was
	acks    int64
	closed  bool
}

var _ operator.Lagging = (*Bolt)(nil)

// NewBolt starts a component's process for one of its tasks. Close it.
func NewBolt(ctx context.Context, m operator.Make) (*Bolt, error) {
	b := &Bolt{of: m, settings: settingsOf(config(m)), tuples: newTuples(m), outs: map[string]int{}, ledger: newLedger(), targets: newTargets(m),
		over: make(chan struct{})}
	if b.settings.unforeseen {
		b.targets.ahead = -1
	}
	b.drained = sync.NewCond(&b.mu)
	for i, o := range m.Task.Component.Outputs {
		b.schemas = append(b.schemas, topology.Schema(o.Fields))
		b.outs[o.Stream] = i
	}
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	b.watching.Go(b.watch)
	return b, nil
}

// Close ends the process.
func (b *Bolt) Close() error {
	b.mu.Lock()
	b.closed = true
	b.drained.Broadcast()
	p := b.process
	b.mu.Unlock()
	close(b.over)
	b.watching.Wait()
	if p != nil {
		p.close()
	}
	return nil
}

// start starts the process, and gives it what is under way.
func (b *Bolt) start(ctx context.Context) error {
	var p *process
	ready := make(chan struct{})
	p, err := start(ctx, b.of, func(m *message, err error) {
		<-ready
		b.hear(p, m, err)
	})
	if err != nil {
		close(ready)
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	defer close(ready)
	b.process, b.broken, b.written, b.told = p, nil, 0, 0
	b.writeAhead()
	for _, f := range b.ledger.restart() {
		p.send(f.message())
	}
	return nil
}

// writeAhead tops up the lists of task ids that the process finds waiting.
func (b *Bolt) writeAhead() {
	if b.targets.ahead < 0 {
		return
	}
	for ; b.written < b.told+ahead; b.written++ {
		ids, _ := b.targets.of(b.targets.ahead, b.targets.pin(b.written), nil) // needs no values
		b.process.send(idList(ids))
	}
}

// Room is operator.Lagging's.
func (b *Bolt) Room() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken == nil && b.ledger.size() < b.settings.pending
}

// Idle is operator.Lagging's.
func (b *Bolt) Idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.size() == 0 && len(b.ledger.ready) == 0 && len(b.ledger.loose) == 0
}

// Process gives the process tuples.
func (b *Bolt) Process(_ context.Context, in int, rec arrow.Record, _ operator.Emitter) error {
	messages := make([][]byte, 0, rec.NumRows())
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range int(rec.NumRows()) {
		messages = append(messages, b.ledger.give(b.tuples.after(in, rec, i)).message())
	}
	b.process.send(messages...)
	return nil
}

// Collect emits what may be seen, and starts the process again if it is no more.
func (b *Bolt) Collect(ctx context.Context, out operator.Emitter) (bool, error) {
	b.mu.Lock()
	list, broken, fatal := b.ledger.take(), b.broken, b.fatal
	b.drained.Broadcast()
	b.mu.Unlock()
	switch {
	case fatal != nil:
		return false, fatal
	case len(list) > 0:
		return true, b.emit(out, list)
	case broken != nil:
		return true, b.restart(ctx, broken)
	}
	return false, nil
}

// restart starts another process in the place of one that ended.
func (b *Bolt) restart(ctx context.Context, why error) error {
	b.mu.Lock()
	if b.ledger.acks > b.acks {
		b.deaths = 0
	}
	b.acks = b.ledger.acks
	b.deaths++
	deaths, p := b.deaths, b.process
	b.mu.Unlock()
	p.close()
	if deaths > deathsInARow {
		return why
	}
	b.of.Logger.Warn("a process is started again", "component", b.of.Task.Component.ID, "task", b.of.Task.ID, "why", why)
	return b.start(ctx)
}

// emit emits what was emitted, in batches of those that go one way.
func (b *Bolt) emit(out operator.Emitter, list []emission) error {
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].out == list[0].out && list[n].pin == list[0].pin {
			n++
		}
		values := make([]tuple, n)
		for i, e := range list[:n] {
			values[i] = e.tuple
		}
		o := list[0].out
		rec, err := rows(b.schemas[o], b.of.Task.Component.Outputs[o].Fields, values)
		if err != nil {
			return err
		}
		if pin := list[0].pin; pin >= 0 {
			err = out.Pin(o, pin, rec)
		} else {
			err = out.Emit(o, rec)
		}
		if err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// hear takes what process p said, or why it ended.
func (b *Bolt) hear(p *process, m *message, end error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p != b.process || b.closed {
		return
	}
	err := end
	if m != nil {
		err = b.obey(m)
	}
	switch {
	case err != nil && m == nil:
		if b.broken == nil {
			b.broken = err
		}
	case err != nil:
		p.kill(err.Error()) // its end comes as such
	}
	if err != nil || len(b.ledger.ready) > 0 || b.ledger.size() < b.settings.pending {
		b.of.Wake()
	}
	for len(b.ledger.ready) > mostReady && !b.closed {
		b.drained.Wait()
	}
}

// obey does what the process says.
func (b *Bolt) obey(m *message) error {
	log := b.of.Logger.With("component", b.of.Task.Component.ID, "task", b.of.Task.ID)
	switch m.Command {
	case "emit":
		return b.emitted(m)
	case "ack":
		if id := idOf(m.ID); !own(id) {
			return b.ledger.ack(id)
		}
	case "fail":
		if id := idOf(m.ID); !own(id) {
			return b.failed(id)
		}
	case "error":
		log.Error("error: " + text(m.Msg))
	case "log":
		say(log, m)
	case "metrics":
		log.Info("metric", "name", m.Name, "params", string(m.Params))
	}
	return nil // sync, and what nobody knows
}

// own reports whether an id is of a tuple of ours: a heartbeat or a tick.
func own(id string) bool { return strings.HasPrefix(id, "__") }

func (b *Bolt) emitted(m *message) error {
	stream := m.Stream
	if stream == "" {
		stream = topology.DefaultStream
	}
	out, ok := b.outs[stream]
	if !ok {
		return fmt.Errorf("%w: it emitted on stream %q, which component %q does not declare", errProtocol, stream, b.of.Task.Component.ID)
	}
	declared := b.of.Task.Component.Outputs[out]
	if len(m.Tuple) != len(declared.Fields) {
		return fmt.Errorf("%w: it emitted %d values on stream %q, which has %d fields", errProtocol, len(m.Tuple), stream, len(declared.Fields))
	}
	anchors, err := m.anchors()
	if err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	kept := anchors[:0]
	for _, id := range anchors {
		if !own(id) {
			kept = append(kept, id)
		}
	}
	e := emission{out: out, pin: -1, tuple: m.Tuple}
	switch {
	case declared.Direct:
		if e.pin, err = b.targets.direct(out, m.Task.String()); err != nil {
			return err
		}
	case m.wantsTasks():
		e.pin = b.targets.pin(b.told)
		if err := b.answer(out, e); err != nil {
			return err
		}
	}
	if b.ledger.holding >= mostHeld {
		b.fatal = core.Errorf(core.Failed, "component %q emitted more than %d tuples for some that it does not ack", b.of.Task.Component.ID, mostHeld).
			Do("have it ack what it has worked on")
	}
	return b.ledger.emit(kept, e)
}

// answer tells the process the tasks that an emit goes to, unless it was told
// before.
func (b *Bolt) answer(out int, e emission) error {
	b.told++
	if b.targets.ahead >= 0 {
		b.writeAhead()
		return nil
	}
	ids, err := b.targets.of(out, e.pin, e.tuple)
	if err == nil {
		b.process.send(idList(ids))
	}
	return err
}

// failed does with a tuple that failed as the component's policy says.
func (b *Bolt) failed(id string) error {
	of, again, err := b.ledger.fail(id)
	if err != nil {
		return err
	}
	policy := b.of.Task.Component.OnError
	if policy.Policy != "retry" || of.tries >= policy.Tries {
		b.fatal = core.Errorf(core.Failed, "component %q failed a tuple %d times: %.300s", b.of.Task.Component.ID, of.tries, of.tail).
			Do("see its log; onError: retry gives it the tuple again")
	}
	for _, f := range again {
		b.process.send(f.message())
	}
	return nil
}
