package plugins

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// attempt is the host's side of one Run stream.
type attempt struct {
	proc    *process
	stream  pluginpb.Framework_RunClient
	host    core.Host
	log     *slog.Logger
	sending sync.Mutex
	pong    chan struct{} // of one: the process answered
	saves   sync.WaitGroup
}

// coordinate runs a on proc until the coordinator is done, the process is gone
// or ctx ends.
func (s *Supervisor) coordinate(ctx context.Context, proc *process, a *core.Attempt, host core.Host) (core.Report, error) {
	start, err := startToWire(a)
	if err != nil {
		return core.Report{}, err
	}
	inner, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stream, err := proc.rpc.Run(inner)
	if err == nil {
		err = stream.Send(start)
	}
	if err != nil && !errors.Is(err, io.EOF) { // Recv has the reason behind an EOF
		return core.Report{}, proc.failure(ctx, err)
	}
	t := &attempt{proc: proc, stream: stream, host: host, log: a.Log, pong: make(chan struct{}, 1)}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	wg.Go(func() { t.events(inner) })
	wg.Go(func() { t.watch(inner, s.config.PingEvery, s.config.HangAfter) })
	defer t.saves.Wait()
	defer cancel()
	for {
		m, err := stream.Recv()
		if err != nil {
			return core.Report{}, t.broken(ctx, err)
		}
		if done := m.GetDone(); done != nil {
			var report core.Report
			if err := decode("report", done.Report, &report); err != nil {
				return report, errors.Join(errorFromWire(done.Error), err)
			}
			return report, errorFromWire(done.Error)
		}
		if err := t.receive(inner, m); err != nil {
			return core.Report{}, err
		}
	}
}

// broken says why the stream ended without done.
func (t *attempt) broken(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return &core.Error{
			Kind: core.Internal, Where: "plugin " + t.proc.name,
			What: "the coordinator's stream ended without an outcome", Detail: t.proc.stderr.String(),
		}
	}
	return t.proc.failure(ctx, err)
}

// receive carries out one message of the coordinator.
func (t *attempt) receive(ctx context.Context, m *pluginpb.FromPlugin) error {
	switch w := m.What.(type) {
	case *pluginpb.FromPlugin_WantGang:
		var ask core.GangAsk
		if err := decode("gang ask", w.WantGang.GetAsk(), &ask); err != nil {
			return err
		}
		return t.host.WantGang(ask)
	case *pluginpb.FromPlugin_ReleaseGang:
		return t.host.ReleaseGang(w.ReleaseGang.GetGang())
	case *pluginpb.FromPlugin_EndGang:
		return t.host.EndGang(w.EndGang.GetGang(), w.EndGang.GetOk())
	case *pluginpb.FromPlugin_Message:
		gang, rank, data := w.Message.GetGang(), int(w.Message.GetRank()), w.Message.GetData()
		if relay, ok := t.host.(core.Relay); ok {
			return relay.SendAfter(m.GetAfter(), gang, rank, data)
		}
		return t.host.Send(gang, rank, data)
	case *pluginpb.FromPlugin_Progress:
		var p core.Progress
		if err := decode("progress", w.Progress, &p); err != nil {
			return err
		}
		t.host.Report(p)
	case *pluginpb.FromPlugin_Save:
		// Durability takes time; pings must be answered meanwhile.
		t.saves.Go(func() { t.save(ctx, w.Save) })
	case *pluginpb.FromPlugin_Log:
		var level slog.Level
		if level.UnmarshalText([]byte(w.Log.GetLevel())) != nil {
			level = slog.LevelInfo
		}
		t.log.Log(ctx, level, w.Log.GetText())
	case *pluginpb.FromPlugin_Answer:
		a := core.Answer{Number: w.Answer.GetNumber(), Result: w.Answer.GetResult()}
		if err := errorFromWire(w.Answer.GetRefused()); err != nil {
			a.Refused = core.AsError(err)
		}
		return t.host.Answer(a)
	case *pluginpb.FromPlugin_Pong:
		select {
		case t.pong <- struct{}{}:
		default:
		}
	}
	return nil
}

func (t *attempt) save(ctx context.Context, w *pluginpb.Save) {
	saved := &pluginpb.Saved{Id: w.GetId()}
	if err := t.host.Save(ctx, w.GetState()); err != nil {
		saved.Error = text(err.Error())
	}
	t.send(&pluginpb.FromHost{What: &pluginpb.FromHost_Saved{Saved: saved}})
}

// send is the stream's only sender. That a stream broke is the receiver's to
// tell.
func (t *attempt) send(m *pluginpb.FromHost) {
	t.sending.Lock()
	defer t.sending.Unlock()
	_ = t.stream.Send(m)
}

// events passes the host's events on until the attempt ends.
func (t *attempt) events(ctx context.Context) {
	for number := int64(1); ; number++ {
		select {
		case e, ok := <-t.host.Events():
			if !ok {
				return
			}
			m, err := eventToWire(e)
			if err != nil {
				t.log.Error("event dropped", "error", err)
				continue
			}
			m.Event = number
			t.send(m)
		case <-ctx.Done():
			return
		}
	}
}

// watch pings the process and kills it when it has not answered for hangAfter
// (law P2). It counts pings and not time, so that a host that slept blames
// nobody.
func (t *attempt) watch(ctx context.Context, every, hangAfter time.Duration) {
	allowed := max(int(hangAfter/every), 1)
	pings := make(chan int64, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(pings)
	// A frozen process takes no frames, so a sender may be stuck: the count
	// must not wait for it.
	wg.Go(func() {
		for id := range pings {
			t.send(&pluginpb.FromHost{What: &pluginpb.FromHost_Ping{Ping: &pluginpb.Ping{Id: id}}})
		}
	})
	missed := 0
	for id := int64(1); pause(ctx, every); id++ {
		select {
		case <-t.pong:
			missed = 0
		default:
			missed++
		}
		if missed > allowed {
			t.proc.hung.Store(true)
			t.proc.kill()
			return
		}
		select {
		case pings <- id:
		default:
		}
	}
}
