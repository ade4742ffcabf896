package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// text is s as protobuf takes it: a string that is not UTF-8 would end the
// stream, and with it the attempt. The last words of a script may be anything.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// errorToWire carries the first *core.Error of the chain; any other error is
// Internal. nil is nil.
func errorToWire(err error) *pluginpb.Error {
	if err == nil {
		return nil
	}
	e := core.AsError(err)
	o := core.OutcomeOf(err, core.Report{})
	w := &pluginpb.Error{
		Kind: text(string(o.Kind)), What: text(o.What), Where: text(o.Where), Remedy: text(o.Remedy), Detail: text(o.Detail),
	}
	if len(e.Diagnostics) > 0 {
		w.Diagnostics, _ = json.Marshal(e.Diagnostics) // strings and numbers always marshal
	}
	return w
}

// errorFromWire is never trusted to be well formed: it comes from a plugin.
func errorFromWire(w *pluginpb.Error) error {
	if w == nil {
		return nil
	}
	e := &core.Error{Kind: core.ErrKind(w.Kind), What: w.What, Where: w.Where, Remedy: w.Remedy, Detail: w.Detail}
	if e.Kind == "" {
		e.Kind = core.Internal
	}
	if len(w.Diagnostics) > 0 {
		if err := json.Unmarshal(w.Diagnostics, &e.Diagnostics); err != nil {
			e.Err = fmt.Errorf("its diagnostics are unreadable: %w", err)
		}
	}
	return e
}

// decode reads a JSON document of package core.
func decode(what string, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %s: %w", what, err)
	}
	return nil
}

func eventToWire(e core.Event) (*pluginpb.FromHost, error) {
	switch e := e.(type) {
	case core.GangUp:
		w := &pluginpb.GangUp{Gang: text(e.Gang), Size: int32(e.Size), Resumed: e.Resumed}
		for _, n := range e.Nodes {
			w.Nodes = append(w.Nodes, text(string(n)))
		}
		for _, r := range e.Lost {
			w.Lost = append(w.Lost, int32(r))
		}
		return &pluginpb.FromHost{What: &pluginpb.FromHost_GangUp{GangUp: w}}, nil
	case core.Message:
		w := &pluginpb.Message{Gang: text(e.Gang), Rank: int32(e.Rank), Data: e.Data}
		return &pluginpb.FromHost{What: &pluginpb.FromHost_Message{Message: w}}, nil
	case core.ExecutorLost:
		w := &pluginpb.ExecutorLost{Gang: text(e.Gang), Rank: int32(e.Rank), Reason: text(e.Reason)}
		return &pluginpb.FromHost{What: &pluginpb.FromHost_Lost{Lost: w}}, nil
	case core.ExecutorReplaced:
		w := &pluginpb.ExecutorReplaced{Gang: text(e.Gang), Rank: int32(e.Rank)}
		return &pluginpb.FromHost{What: &pluginpb.FromHost_Replaced{Replaced: w}}, nil
	case core.Command:
		w := &pluginpb.Command{Number: e.Number, Verb: text(e.Verb), Args: e.Args}
		return &pluginpb.FromHost{What: &pluginpb.FromHost_Command{Command: w}}, nil
	case core.GangRefused:
		w := &pluginpb.GangRefused{Gang: text(e.Gang), Error: errorToWire(e.Err)}
		if len(e.Elements) > 0 {
			w.Elements, _ = json.Marshal(e.Elements) // numbers always marshal
		}
		return &pluginpb.FromHost{What: &pluginpb.FromHost_Refused{Refused: w}}, nil
	case core.CancelAsked:
		return &pluginpb.FromHost{What: &pluginpb.FromHost_Cancel{Cancel: &pluginpb.Cancel{Reason: text(e.Reason)}}}, nil
	case core.GiveWay:
		w := &pluginpb.GiveWay{Gang: text(e.Gang), Until: e.Until.UnixMilli(), Reason: text(e.Reason), Final: e.Final}
		return &pluginpb.FromHost{What: &pluginpb.FromHost_GiveWay{GiveWay: w}}, nil
	case core.Stay:
		return &pluginpb.FromHost{What: &pluginpb.FromHost_Stay{Stay: &pluginpb.Stay{Gang: text(e.Gang)}}}, nil
	case core.Shrink:
		w := &pluginpb.Shrink{Gang: text(e.Gang), Until: e.Until.UnixMilli(), Reason: text(e.Reason)}
		for _, r := range e.Ranks {
			w.Ranks = append(w.Ranks, int32(r))
		}
		return &pluginpb.FromHost{What: &pluginpb.FromHost_Shrink{Shrink: w}}, nil
	}
	return nil, fmt.Errorf("event %T has no wire form", e)
}

var errNoEvent = errors.New("not an event")

func eventFromWire(m *pluginpb.FromHost) (core.Event, error) {
	switch w := m.What.(type) {
	case *pluginpb.FromHost_GangUp:
		e := core.GangUp{Gang: w.GangUp.GetGang(), Size: int(w.GangUp.GetSize()), Resumed: w.GangUp.GetResumed()}
		for _, n := range w.GangUp.GetNodes() {
			e.Nodes = append(e.Nodes, core.NodeID(n))
		}
		for _, r := range w.GangUp.GetLost() {
			e.Lost = append(e.Lost, int(r))
		}
		return e, nil
	case *pluginpb.FromHost_Message:
		return core.Message{Gang: w.Message.GetGang(), Rank: int(w.Message.GetRank()), Data: w.Message.GetData()}, nil
	case *pluginpb.FromHost_Lost:
		return core.ExecutorLost{Gang: w.Lost.GetGang(), Rank: int(w.Lost.GetRank()), Reason: w.Lost.GetReason()}, nil
	case *pluginpb.FromHost_Replaced:
		return core.ExecutorReplaced{Gang: w.Replaced.GetGang(), Rank: int(w.Replaced.GetRank())}, nil
	case *pluginpb.FromHost_Command:
		return core.Command{Number: w.Command.GetNumber(), Verb: w.Command.GetVerb(), Args: w.Command.GetArgs()}, nil
	case *pluginpb.FromHost_Refused:
		e := core.GangRefused{Gang: w.Refused.GetGang(), Err: core.AsError(errorFromWire(w.Refused.GetError()))}
		if b := w.Refused.GetElements(); len(b) > 0 {
			err := decode("elements", b, &e.Elements)
			return e, err
		}
		return e, nil
	case *pluginpb.FromHost_Cancel:
		return core.CancelAsked{Reason: w.Cancel.GetReason()}, nil
	case *pluginpb.FromHost_Shrink:
		e := core.Shrink{Gang: w.Shrink.GetGang(), Until: time.UnixMilli(w.Shrink.GetUntil()).UTC(), Reason: w.Shrink.GetReason()}
		for _, r := range w.Shrink.GetRanks() {
			e.Ranks = append(e.Ranks, int(r))
		}
		return e, nil
	case *pluginpb.FromHost_Stay:
		return core.Stay{Gang: w.Stay.GetGang()}, nil
	case *pluginpb.FromHost_GiveWay:
		return core.GiveWay{Gang: w.GiveWay.GetGang(), Until: time.UnixMilli(w.GiveWay.GetUntil()).UTC(), Reason: w.GiveWay.GetReason(), Final: w.GiveWay.GetFinal()}, nil
	}
	return nil, errNoEvent
}

func startToWire(a *core.Attempt) (*pluginpb.FromHost, error) {
	job, err := json.Marshal(a.Job)
	if err != nil {
		return nil, err
	}
	store, err := json.Marshal(a.Store)
	if err != nil {
		return nil, err
	}
	return &pluginpb.FromHost{What: &pluginpb.FromHost_Start{Start: &pluginpb.Start{
		Job: job, Epoch: int64(a.Epoch), Generation: a.Generation,
		Saved: a.Saved, HasSaved: a.Saved != nil, Store: store, Scratch: a.Scratch,
	}}}, nil
}

func attemptFromWire(s *pluginpb.Start) (*core.Attempt, error) {
	a := &core.Attempt{
		Job: new(core.Job), Epoch: core.Epoch(s.GetEpoch()), Generation: s.GetGeneration(), Scratch: s.GetScratch(),
	}
	if s.GetHasSaved() {
		a.Saved = append([]byte{}, s.GetSaved()...)
	}
	if err := decode("job", s.GetJob(), a.Job); err != nil {
		return nil, err
	}
	return a, decode("store access", s.GetStore(), &a.Store)
}
