package plugins

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

func TestEventsCross(t *testing.T) {
	for _, e := range []core.Event{
		core.GangUp{Gang: "main", Size: 2, Nodes: []core.NodeID{"a", "b"}, Resumed: true, Lost: []int{1}},
		core.Message{Gang: "main", Rank: 1, Data: []byte("x")},
		core.ExecutorLost{Gang: "main", Rank: 1, Reason: "out of memory"},
		core.ExecutorReplaced{Gang: "main", Rank: 1},
		core.CancelAsked{Reason: "enough"},
		core.GiveWay{Gang: "main", Until: time.UnixMilli(1_700_000_000_123).UTC(), Reason: "room", Final: true},
		core.Stay{Gang: "main"},
		core.GangRefused{Gang: "main", Err: core.Errorf(core.Failed, "no"), Elements: []core.ArrayRange{{First: 1, Last: 9, Step: 2}}},
	} {
		m, err := eventToWire(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := eventFromWire(m)
		if diff := cmp.Diff(e, back); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

func TestErrorsCross(t *testing.T) {
	if err := errorFromWire(errorToWire(nil)); err != nil {
		t.Errorf("nil comes back as %v", err)
	}
	cause := errors.New("cause")
	got := core.AsError(errorFromWire(errorToWire(&core.Error{
		Kind: core.TimedOut, What: "what", Where: "where", Remedy: "remedy", Detail: "detail", Err: cause,
	})))
	want := &core.Error{Kind: core.TimedOut, What: "what: cause", Where: "where", Remedy: "remedy", Detail: "detail"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestForeignTextCrosses: what scripts say is not always UTF-8, and a message
// with such a string is refused by protobuf.
func TestForeignTextCrosses(t *testing.T) {
	const foreign, want = "caf\xe9", "caf\uFFFD"
	done := doneToWire(core.Report{}, &core.Error{Kind: core.Failed, What: foreign, Where: foreign, Remedy: foreign, Detail: foreign})
	b, err := proto.Marshal(done)
	if err != nil {
		t.Fatal(err)
	}
	var back pluginpb.FromPlugin
	if err := proto.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if e := core.AsError(errorFromWire(back.GetDone().GetError())); e.Kind != core.Failed || e.What != want || e.Detail != want {
		t.Errorf("the error comes back as %+v", e)
	}
	for _, e := range []core.Event{
		core.GangUp{Gang: foreign, Nodes: []core.NodeID{foreign}},
		core.Message{Gang: foreign},
		core.ExecutorLost{Gang: foreign, Reason: foreign},
		core.ExecutorReplaced{Gang: foreign},
		core.CancelAsked{Reason: foreign},
		core.GiveWay{Gang: foreign, Reason: foreign},
		core.Stay{Gang: foreign},
	} {
		m, err := eventToWire(e)
		if err == nil {
			_, err = proto.Marshal(m)
		}
		if err != nil {
			t.Errorf("%T is lost: %v", e, err)
		}
	}
}

func TestSavedNilIsNotEmpty(t *testing.T) {
	for _, saved := range [][]byte{nil, {}, []byte("x")} {
		m, err := startToWire(&core.Attempt{Job: &core.Job{}, Saved: saved})
		if err != nil {
			t.Fatal(err)
		}
		a, err := attemptFromWire(m.GetStart())
		if err != nil || (a.Saved == nil) != (saved == nil) || string(a.Saved) != string(saved) {
			t.Errorf("saved %#v comes back as %#v, %v", saved, a.Saved, err)
		}
	}
}

// FuzzFromPlugin feeds what a hostile plugin may send to all that reads it.
func FuzzFromPlugin(f *testing.F) {
	seed, err := proto.Marshal(doneToWire(core.Report{Notes: []string{"x"}}, core.Errorf(core.Failed, "y")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var m pluginpb.FromPlugin
		if proto.Unmarshal(data, &m) == nil {
			at := &attempt{host: nullHost{}, log: discard, pong: make(chan struct{}, 1)}
			if m.GetSave() == nil {
				_ = at.receive(t.Context(), &m) // any error will do, a panic will not
			}
			if err := errorFromWire(m.GetDone().GetError()); err != nil && core.KindOf(err) == "" {
				t.Errorf("error without a kind: %#v", err)
			}
		}
	})
}
