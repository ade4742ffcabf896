package task

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

func TestMessagesCross(t *testing.T) {
	for _, want := range []*Down{
		{Begin: &Begin{Incarnation: 2, Hosts: []string{"a", "b"}, Resume: &Checkpoint{1, 10}, Keep: []Checkpoint{{1, 5}, {1, 10}}}},
		{Stop: &Stop{3}}, {Committed: &Committed{Keep: []Checkpoint{{1, 10}}}}, {Bring: &Bring{Checkpoint{1, 10}}},
		{Save: &Save{4}}, {Query: &Query{}},
	} {
		b, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got := new(Down)
		if err := Decode(b, got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

// TestCausesCrossAsText: an error's chain cannot cross, its words do.
func TestCausesCrossAsText(t *testing.T) {
	e := core.Error{Kind: core.Failed, What: "read the points", Err: errors.New("line 7 is short")}
	b, err := Encode(&Up{Ended: &Ended{Incarnation: 1, Lost: -1, Err: e}})
	if err != nil {
		t.Fatal(err)
	}
	var got Up
	if err := Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Ended.Err.What != "read the points: line 7 is short" || got.Ended.Lost != -1 {
		t.Errorf("%+v", got.Ended)
	}
	if e.Err == nil {
		t.Error("the sender's error was changed")
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(&Up{Hello: &Hello{Host: "x", Running: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("nonsense"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var up Up
		if err := Decode(b, &up); err == nil {
			if _, err := Encode(&up); err != nil {
				t.Errorf("what was decoded cannot be encoded: %v", err)
			}
		}
	})
}
