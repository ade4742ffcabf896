package host

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/journal"
)

// notify wakes whoever watches j. h.mu is held.
func (j *job) notify() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// event is a journal record of j in the making.
func (j *job) event(kind, text string) journal.Record {
	return journal.Record{Time: now(), Job: j.rec.Job.ID, Kind: kind, Text: text}
}

// persist writes j's record and events, and tells the watchers. It must not be
// called with h.mu held. An error means the state on disk is older than ours.
func (h *Host) persist(j *job, events ...journal.Record) error {
	return h.change(j, nil, events...)
}

// change makes a change of j's record durable before anybody sees it (law H1).
// A nil change writes the record as it is.
func (h *Host) change(j *job, change func(*record), events ...journal.Record) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	h.mu.Lock()
	rec := j.rec
	if change != nil {
		change(&rec)
	}
	tx := journal.Tx{
		Jobs:    []core.Job{rec.Job},
		Records: events,
		Saves:   []journal.Save{{Job: rec.Job.ID, Epoch: 0, State: rec.encode()}},
	}
	h.mu.Unlock()
	err := h.journal.Commit(context.WithoutCancel(h.ctx), tx)
	if err != nil {
		h.log.Error("journal", "job", rec.Job.ID, "err", err)
	}
	h.mu.Lock()
	if err == nil && change != nil {
		change(&j.rec)
	}
	j.notify()
	h.mu.Unlock()
	return err
}

// persistPatiently is persist for a job that runs: a full disk holds it up
// until there is room again or ctx ends.
func (h *Host) persistPatiently(ctx context.Context, j *job, events ...journal.Record) error {
	for {
		err := h.persist(j, events...)
		h.hold(j, err)
		if !errors.Is(err, journal.ErrFull) || !pause(ctx, time.Second) {
			return err
		}
	}
}

// insist makes a change durable that must not get lost: it tries until it is
// there, or the host ends.
func (h *Host) insist(j *job, change func(*record), events ...journal.Record) bool {
	for {
		err := h.change(j, change, events...)
		h.hold(j, err)
		if err == nil {
			return true
		}
		if !pause(h.ctx, time.Second) {
			return false
		}
	}
}

// hold lets everybody who looks at j see what its journal has against it; nil
// ends that.
func (h *Host) hold(j *job, err error) {
	text := ""
	if err != nil {
		text = "held up until it can be written down: " + err.Error()
		if remedy := core.AsError(err).Remedy; remedy != "" {
			text += "; " + remedy
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if j.held != text {
		j.held = text
		j.notify()
	}
}

// pause waits for d; it reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
