package multilang

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

const (
	// bunch is about how many tuples of a spout go as one batch, and linger how
	// long the first of them may wait for the others.
	bunch  = 256
	linger = 2 * time.Millisecond
	// leastRest and mostRest are between questions to a spout that has nothing.
	leastRest = time.Millisecond
	mostRest  = 20 * time.Millisecond
)

// Spout is a task of a source that is a process.
type Spout struct {
	of       operator.Make
	settings settings
	schemas  []*arrow.Schema
	outs     map[string]int
	targets  *targets
	process  *process
	said     chan word
	over     chan struct{} // closed by Close
	told     int
	rest     time.Duration
	deaths   int
	emitted  []emission
	// unacked are the ids of what was emitted: since the last epoch was handed in,
	// and by the epoch that they are in.
	since   []json.RawMessage
	epochs  []handed
	unacked int
}

// handed is the ids of an epoch.
type handed struct {
	epoch int64
	ids   []json.RawMessage
}

// word is what a process said, or why it ended.
type word struct {
	message *message
	end     error
}

var _ operator.Told = (*Spout)(nil)

// NewSpout starts a source's process for one of its tasks. Close it.
func NewSpout(ctx context.Context, m operator.Make) (*Spout, error) {
	s := &Spout{of: m, settings: settingsOf(config(m)), outs: map[string]int{}, targets: newTargets(m), over: make(chan struct{})}
	for i, o := range m.Task.Component.Outputs {
		s.schemas = append(s.schemas, topology.Schema(o.Fields))
		s.outs[o.Stream] = i
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the process.
func (s *Spout) Close() error {
	close(s.over)
	if s.process != nil {
		s.process.close()
	}
	return nil
}

func (s *Spout) start(ctx context.Context) error {
	said := make(chan word, 256)
	p, err := start(ctx, s.of, func(m *message, end error) {
		select {
		case said <- word{m, end}:
		case <-s.over:
		}
	})
	if err != nil {
		return err
	}
	s.process, s.said = p, said
	if !s.settings.legacy {
		return s.command(ctx, "activate", nil)
	}
	return nil
}

// Position is operator.Source's: a spout knows itself where it is.
func (s *Spout) Position() json.RawMessage { return nil }

// Seek is operator.Source's.
func (s *Spout) Seek([]json.RawMessage) error { return nil }

// Handed is operator.Told's.
func (s *Spout) Handed(epoch int64) {
	s.epochs = append(s.epochs, handed{epoch, s.since})
	s.since = nil
}

// Committed acks what the epochs up to it have.
func (s *Spout) Committed(ctx context.Context, epoch int64) error {
	for len(s.epochs) > 0 && s.epochs[0].epoch <= epoch {
		ids := s.epochs[0].ids
		s.epochs = s.epochs[1:]
		for _, id := range ids {
			s.unacked--
			if err := s.command(ctx, "ack", id); err != nil {
				return s.restart(ctx, err)
			}
		}
	}
	return nil
}

// Next asks the process for tuples.
func (s *Spout) Next(ctx context.Context, out operator.Emitter) (bool, error) {
	for begun := time.Now(); len(s.emitted) < bunch && time.Since(begun) < linger; {
		if s.settings.unacked > 0 && s.unacked >= s.settings.unacked {
			s.of.Urge()
			break
		}
		before := len(s.emitted)
		if err := s.command(ctx, "next", nil); err != nil {
			if err := s.restart(ctx, err); err != nil {
				return false, err
			}
			break
		}
		if len(s.emitted) == before {
			break
		}
		s.deaths = 0
	}
	if len(s.emitted) == 0 {
		s.pause(ctx)
		return true, nil
	}
	s.rest = 0
	list := s.emitted
	s.emitted = nil
	return true, s.emit(out, list)
}

// pause rests for longer and longer while there is nothing.
func (s *Spout) pause(ctx context.Context) {
	s.rest = min(max(2*s.rest, leastRest), mostRest)
	t := time.NewTimer(s.rest)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (s *Spout) emit(out operator.Emitter, list []emission) error {
	b := &Bolt{of: s.of, schemas: s.schemas}
	return b.emit(out, list)
}

// restart starts another process in the place of one that ended. What it had
// not been acked is its own to send again.
func (s *Spout) restart(ctx context.Context, why error) error {
	s.process.close()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.deaths++; s.deaths > deathsInARow {
		return why
	}
	s.of.Logger.Warn("a process is started again", "component", s.of.Task.Component.ID, "task", s.of.Task.ID, "why", why)
	s.since, s.epochs, s.unacked, s.told = nil, nil, 0, 0
	return s.start(ctx)
}

// command tells the process something and takes what it says until its sync.
func (s *Spout) command(ctx context.Context, verb string, id json.RawMessage) error {
	if id == nil {
		id = json.RawMessage(`""`)
	}
	s.process.send(framed(fmt.Appendf(nil, `{"command":%q,"id":%s}`, verb, id)))
	late := time.NewTimer(s.settings.timeout)
	defer late.Stop()
	for {
		select {
		case w := <-s.said:
			if w.end != nil {
				return w.end
			}
			if w.message.Command == "sync" {
				return nil
			}
			if err := s.obey(w.message); err != nil {
				s.process.kill(err.Error())
			}
		case <-late.C:
			s.process.kill(fmt.Sprintf("it did not answer %q for %s and was killed", verb, s.settings.timeout))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Spout) obey(m *message) error {
	log := s.of.Logger.With("component", s.of.Task.Component.ID, "task", s.of.Task.ID)
	switch m.Command {
	case "emit":
		return s.take(m)
	case "error":
		log.Error("error: " + text(m.Msg))
	case "log":
		say(log, m)
	case "metrics":
		log.Info("metric", "name", m.Name, "params", string(m.Params))
	default:
		return fmt.Errorf("%w: it said %q", errProtocol, m.Command)
	}
	return nil
}

// take takes an emit.
func (s *Spout) take(m *message) error {
	stream := m.Stream
	if stream == "" {
		stream = topology.DefaultStream
	}
	out, ok := s.outs[stream]
	if !ok {
		return fmt.Errorf("%w: it emitted on stream %q, which component %q does not declare", errProtocol, stream, s.of.Task.Component.ID)
	}
	declared := s.of.Task.Component.Outputs[out]
	if len(m.Tuple) != len(declared.Fields) {
		return fmt.Errorf("%w: it emitted %d values on stream %q, which has %d fields", errProtocol, len(m.Tuple), stream, len(declared.Fields))
	}
	e := emission{out: out, pin: -1, tuple: m.Tuple}
	switch {
	case declared.Direct:
		pin, err := s.targets.direct(out, m.Task.String())
		if err != nil {
			return err
		}
		e.pin = pin
	case m.wantsTasks():
		e.pin = s.targets.pin(s.told)
		s.told++
		ids, err := s.targets.of(out, e.pin, e.tuple)
		if err != nil {
			return err
		}
		s.process.send(idList(ids))
	}
	if len(m.ID) > 0 && string(m.ID) != "null" {
		s.since = append(s.since, m.ID)
		s.unacked++
	}
	s.emitted = append(s.emitted, e)
	return nil
}
