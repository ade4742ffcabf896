package coordinate

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

const (
	tick      = 250 * time.Millisecond // how often time passes for the machine
	showEvery = 4                      // so many ticks without effects are shown once
)

// Run is the loop around a machine: it turns the host's events into the
// machine's and carries out its effects, until the service ends. It starts from
// a.Saved if that is there.
func Run(ctx context.Context, a *core.Attempt, host core.Host, planned []string) (core.Report, error) {
	var saved *State
	if a.Saved != nil {
		var err error
		if saved, err = DecodeState(a.Saved); err != nil {
			return core.Report{}, err
		}
	}
	m, err := New(a.Job, saved, planned)
	if err != nil {
		return core.Report{}, err
	}
	r := &runner{machine: m, host: host, log: a.Log, saved: a.Saved}
	if err := r.step(ctx, Begin{}); err != nil {
		return core.Report{}, err
	}
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for !r.over {
		select {
		case <-ctx.Done():
			return core.Report{}, context.Cause(ctx)
		case e, ok := <-host.Events():
			if !ok {
				return core.Report{}, core.Errorf(core.Internal, "the host ended the attempt before the service")
			}
			err = r.take(ctx, e)
		case <-clock.C:
			err = r.step(ctx, Tick{})
		}
		if err != nil {
			return core.Report{}, err
		}
	}
	return core.Report{}, r.err
}

type runner struct {
	machine *Machine
	host    core.Host
	log     *slog.Logger
	saved   []byte
	shown   []byte
	quiet   int // steps without effects
	over    bool
	err     error
}

func (r *runner) take(ctx context.Context, e core.Event) error {
	switch e := e.(type) {
	case core.GangUp:
		up := Up{Gang: e.Gang, Resumed: e.Resumed, Lost: len(e.Lost) > 0}
		if len(e.Nodes) > 0 {
			up.Node = e.Nodes[0]
		}
		return r.step(ctx, up)
	case core.ExecutorLost:
		return r.step(ctx, Lost{Gang: e.Gang, Reason: e.Reason})
	case core.GangRefused:
		return r.step(ctx, Refused{Gang: e.Gang, Reason: e.Err.Error()})
	case core.Message:
		var s wire.Status
		if err := wire.Decode(e.Data, &s); err != nil {
			r.log.Warn("a worker's message is not a status", "gang", e.Gang, "err", err)
			return nil
		}
		return r.step(ctx, Heard{Gang: e.Gang, Status: s})
	case core.Command:
		return r.step(ctx, Asked{e})
	case core.GiveWay:
		return r.step(ctx, Yield{Gang: e.Gang, Until: e.Until.UnixMilli(), Reason: e.Reason})
	case core.CancelAsked:
		return r.step(ctx, End{Reason: e.Reason})
	}
	return nil
}

// step lets the machine decide, saves what it decided (law S3), and does it.
func (r *runner) step(ctx context.Context, e Event) error {
	effects := r.machine.Step(time.Now().UnixMilli(), e)
	if len(effects) == 0 {
		r.quiet++
		if _, ticked := e.(Tick); !ticked || r.quiet%showEvery == 0 {
			r.show()
		}
		return nil
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	for _, e := range effects {
		if err := r.carryOut(e); err != nil {
			return err
		}
	}
	r.show()
	return nil
}

// save makes the state durable if it has changed. What has no effects can wait
// for what has.
func (r *runner) save(ctx context.Context) error {
	state, err := r.machine.State.Encode()
	if err != nil || bytes.Equal(state, r.saved) {
		return err
	}
	if err := r.host.Save(ctx, state); err != nil {
		return err
	}
	r.saved = state
	return nil
}

func (r *runner) carryOut(e Effect) error {
	switch e := e.(type) {
	case Want:
		return r.host.WantGang(e.Ask)
	case Release:
		return r.host.ReleaseGang(e.Gang)
	case Tell:
		// To a gang that is gone by now there is nothing to say: the host tells.
		if err := r.host.Send(e.Gang, 0, wire.Encode(e.Order)); err != nil && core.KindOf(err) != core.NotFound {
			return err
		}
	case Reply:
		return r.host.Answer(e.Answer)
	case Say:
		r.log.Info(e.Text)
	case Done:
		r.over, r.err = true, e.Err
	}
	return nil
}

// show reports what has changed.
func (r *runner) show() {
	p := r.machine.Progress()
	b := wire.Encode(p)
	if !bytes.Equal(b, r.shown) {
		r.shown = b
		r.host.Report(p)
	}
}
