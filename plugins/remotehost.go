package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// remoteHost is core.Host as a coordinator in its own process sees it.
type remoteHost struct {
	stream pluginpb.Framework_RunServer
	events chan core.Event
	wake   chan struct{}
	// heard is where deliver says which event the coordinator took last; quiet
	// is closed when it delivers no more.
	heard chan int64
	quiet chan struct{}

	sending sync.Mutex
	over    bool // done was sent; guarded by sending

	mu     sync.Mutex
	queued []numbered
	closed error
	nextID int64
	saves  map[int64]chan error
}

// numbered is an event with its number in the attempt.
type numbered struct {
	core.Event
	number int64
}

func newRemoteHost(stream pluginpb.Framework_RunServer) *remoteHost {
	return &remoteHost{
		stream: stream, events: make(chan core.Event), wake: make(chan struct{}, 1), saves: map[int64]chan error{},
		heard: make(chan int64), quiet: make(chan struct{}),
	}
}

// send is the stream's only sender, for gRPC allows one at a time.
func (h *remoteHost) send(m *pluginpb.FromPlugin) error {
	h.sending.Lock()
	defer h.sending.Unlock()
	if h.over {
		return errOver
	}
	h.over = m.GetDone() != nil
	return h.stream.Send(m)
}

var errOver = errors.New("the attempt is over: its coordinator has returned")

func (h *remoteHost) queue(e core.Event, number int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queued = append(h.queued, numbered{e, number})
	h.wakeLocked()
}

func (h *remoteHost) wakeLocked() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// deliver hands queued events to the coordinator until the attempt is over.
// Between two of them it says which was the last, so that who took one sends
// with its number.
func (h *remoteHost) deliver(ctx context.Context) {
	defer close(h.events)
	defer close(h.quiet)
	for last := int64(0); ; {
		h.mu.Lock()
		batch, closed := h.queued, h.closed
		h.queued = nil
		h.mu.Unlock()
		for len(batch) > 0 {
			select {
			case h.events <- batch[0].Event:
				last = batch[0].number
				batch = batch[1:]
			case h.heard <- last:
			case <-ctx.Done():
				return
			}
		}
		if closed != nil {
			return
		}
		select {
		case <-h.wake:
		case h.heard <- last:
		case <-ctx.Done():
			return
		}
	}
}

// Events implements core.Host.
func (h *remoteHost) Events() <-chan core.Event { return h.events }

// WantGang implements core.Host. What the host has against the ask ends the
// attempt; it does not come back here.
func (h *remoteHost) WantGang(ask core.GangAsk) error {
	b, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	return h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_WantGang{WantGang: &pluginpb.WantGang{Ask: b}}})
}

// ReleaseGang implements core.Host.
func (h *remoteHost) ReleaseGang(name string) error {
	return h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_ReleaseGang{ReleaseGang: &pluginpb.ReleaseGang{Gang: name}}})
}

// EndGang implements core.Host.
func (h *remoteHost) EndGang(name string, ok bool) error {
	return h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_EndGang{EndGang: &pluginpb.EndGang{Gang: name, Ok: ok}}})
}

// Send implements core.Host.
func (h *remoteHost) Send(gang string, rank int, msg []byte) error {
	var last int64
	select {
	case last = <-h.heard:
	case <-h.quiet: // nobody will read it
	}
	m := &pluginpb.Message{Gang: gang, Rank: int32(rank), Data: msg}
	return h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_Message{Message: m}, After: last})
}

// Answer implements core.Host.
func (h *remoteHost) Answer(a core.Answer) error {
	w := &pluginpb.Answer{Number: a.Number, Result: a.Result}
	if a.Refused != nil {
		w.Refused = errorToWire(a.Refused)
	}
	return h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_Answer{Answer: w}})
}

// Report implements core.Host.
func (h *remoteHost) Report(p core.Progress) {
	b, err := json.Marshal(p)
	if err != nil {
		return // numbers and strings always marshal
	}
	// A broken stream ends the attempt's context; nothing is lost by not
	// saying so here.
	_ = h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_Progress{Progress: b}})
}

// Save implements core.Host.
func (h *remoteHost) Save(ctx context.Context, state []byte) error {
	answer := make(chan error, 1)
	h.mu.Lock()
	if h.closed != nil {
		defer h.mu.Unlock()
		return h.closed
	}
	h.nextID++
	id := h.nextID
	h.saves[id] = answer
	h.mu.Unlock()
	err := h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_Save{Save: &pluginpb.Save{Id: id, State: state}}})
	if err == nil {
		select {
		case err = <-answer:
			return err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.saves, id)
	return err
}

func (h *remoteHost) saved(w *pluginpb.Saved) {
	h.mu.Lock()
	defer h.mu.Unlock()
	answer := h.saves[w.GetId()]
	delete(h.saves, w.GetId())
	if answer == nil {
		return
	}
	var err error
	if w.GetError() != "" {
		err = errors.New(w.GetError())
	}
	answer <- err
}

// logger makes the coordinator's logger: its records go to the job's log.
func (h *remoteHost) logger() *slog.Logger {
	return executor.NewLogger(func(_ time.Time, level slog.Level, line string) {
		// A broken stream ends the attempt, which says enough.
		_ = h.send(&pluginpb.FromPlugin{What: &pluginpb.FromPlugin_Log{Log: &pluginpb.Log{Level: level.String(), Text: text(line)}}})
	})
}
