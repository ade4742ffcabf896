package coordinator

import (
	"context"
	"time"

	"github.com/capstan-run/capstan/core"
)

// At is a moment in the machine's time.
func (l *Loop[E, F]) At(t time.Time) int64 { return t.Sub(l.begun).Milliseconds() }

// End ends the attempt, with nil for success. The effect that asks for it is the
// last one.
func (l *Loop[E, F]) End(err error) { l.over, l.err = true, err }

// Then tells the machine an event once the effects of this step are carried out.
func (l *Loop[E, F]) Then(e E) { l.next = append(l.next, e) }

// Go runs work beside the loop, after what the lane has still to do, and tells
// the machine the event that it comes to. ctx ends with the attempt; stop ends it
// earlier, and the event comes all the same.
func (l *Loop[E, F]) Go(ctx context.Context, work func(ctx context.Context) E) (stop context.CancelFunc) {
	return l.lane.add(ctx, func(inner context.Context) func() {
		e := work(inner)
		return func() { l.step(ctx, e) }
	})
}

// Send encodes a message and sends it to a rank's worker.
func (l *Loop[E, F]) Send(gang string, rank int, message any, encode func(any) ([]byte, error)) error {
	data, err := encode(message)
	if err == nil {
		err = l.host.Send(gang, rank, data)
	}
	if err != nil {
		return &core.Error{Kind: core.Internal, What: "send word to an executor", Err: err}
	}
	return nil
}

// State is what a generation leaves to the next.
type State interface{ Encode() ([]byte, error) }

// Save makes a state durable, then tells the machine saved.
func (l *Loop[E, F]) Save(ctx context.Context, s State, saved E) error {
	if err := Save(ctx, l.host, s); err != nil {
		return err
	}
	l.Then(saved)
	return nil
}

// Renew lets a gang's place go and asks for the gang again.
func (l *Loop[E, F]) Renew(ask core.GangAsk) error {
	if err := l.host.ReleaseGang(ask.Name); err != nil {
		return err
	}
	return l.host.WantGang(ask)
}

// Save makes a state durable.
func Save(ctx context.Context, host core.Host, s State) error {
	data, err := s.Encode()
	if err != nil {
		return err
	}
	return host.Save(ctx, data)
}
