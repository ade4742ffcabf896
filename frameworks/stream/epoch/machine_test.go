package epoch_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// two is a topology of a source (task 1) and a sink with two tasks (2 and 3).
func two() *topology.Topology {
	return &topology.Topology{Epoch: time.Second, Groups: 4, Components: []topology.Component{
		{ID: "s", Role: topology.Source, Tasks: 1}, {ID: "k", Role: topology.Sink, Tasks: 2}}}
}

func show(effects []epoch.Effect) string {
	var list []string
	for _, f := range effects {
		switch f := f.(type) {
		case epoch.Trigger:
			list = append(list, fmt.Sprint("trigger ", f.Epoch))
		case epoch.Commit:
			list = append(list, fmt.Sprint("commit ", f.Manifest.Epoch, " final ", f.Manifest.Final))
		case epoch.Publish:
			list = append(list, fmt.Sprint("publish ", f.Epoch, " by ", f.Task))
		case epoch.Passed:
			list = append(list, fmt.Sprint("passed ", f.Epoch))
		case epoch.Done:
			list = append(list, fmt.Sprint("done ", f.Epoch))
		}
	}
	return strings.Join(list, ", ")
}

func piece(index int, part string) snapshot.Piece {
	p := snapshot.Piece{Component: "k", Index: index}
	if part != "" {
		p.Part = json.RawMessage(part)
	}
	return p
}

// TestStory tells of a run of two epochs, with events that come late and twice.
func TestStory(t *testing.T) {
	m := epoch.New(two(), "me")
	source := snapshot.Piece{Component: "s", Position: json.RawMessage(`1`)}
	end := snapshot.Piece{Component: "s", Position: json.RawMessage(`2`), Exhausted: true}
	for i, s := range []struct {
		now   int64
		event epoch.Event
		want  string
	}{
		{0, epoch.Begin{}, ""},
		{999, epoch.Tick{}, ""},
		{1000, epoch.Tick{}, "trigger 1"},
		{2500, epoch.Tick{}, ""}, // one at a time
		{2501, epoch.Handed{Epoch: 1, Task: 1, Piece: source}, ""},
		{2502, epoch.Handed{Epoch: 1, Task: 1, Piece: source}, ""}, // twice
		{2503, epoch.Handed{Epoch: 1, Task: 2, Piece: piece(0, `"a"`)}, ""},
		{2504, epoch.Handed{Epoch: 2, Task: 3, Piece: piece(1, "")}, ""}, // another epoch's
		{2505, epoch.Handed{Epoch: 1, Task: 9}, ""},                      // nobody's
		{2506, epoch.Handed{Epoch: 1, Task: 3, Piece: piece(1, "")}, "commit 1 final false"},
		{2507, epoch.Tick{}, ""},
		{2508, epoch.Committed{Epoch: 1}, "passed 1, publish 1 by 2"},
		{2509, epoch.Committed{Epoch: 1}, ""},
		{2510, epoch.Tick{}, ""},
		{2511, epoch.Published{Epoch: 1, Task: 2, Index: 0}, ""},
		{2512, epoch.Exhausted{Task: 1}, "trigger 2"}, // at once
		{2513, epoch.Handed{Epoch: 2, Task: 1, Piece: end}, ""},
		{2514, epoch.Handed{Epoch: 2, Task: 2, Piece: piece(0, "")}, ""},
		{2515, epoch.Handed{Epoch: 2, Task: 3, Piece: piece(1, "")}, "commit 2 final true"},
		{2516, epoch.Committed{Epoch: 2}, "passed 2, done 2"},
		{9999, epoch.Tick{}, ""},
	} {
		if got := show(m.Step(s.now, s.event)); got != s.want {
			t.Fatalf("line %d: %+v gives %q, want %q", i, s.event, got, s.want)
		}
	}
}

// A run goes on with publishing the epoch that it begins from, whatever the
// number of tasks was; one that was final is done.
func TestGoOn(t *testing.T) {
	last := &snapshot.Manifest{Epoch: 7, Pieces: []snapshot.Piece{piece(0, `"a"`), piece(2, `"c"`)}}
	m := epoch.New(two(), "me")
	if got := show(m.Step(0, epoch.Begin{Last: last})); got != "publish 7 by 2, publish 7 by 2" {
		t.Errorf("it begins with %q", got)
	}
	if got := show(m.Step(5000, epoch.Tick{})); got != "" {
		t.Errorf("before all is published: %q", got)
	}
	m.Step(5001, epoch.Published{Epoch: 7, Task: 2, Index: 0})
	m.Step(5002, epoch.Published{Epoch: 7, Task: 2, Index: 2})
	if got := show(m.Step(5003, epoch.Tick{})); got != "trigger 8" {
		t.Errorf("it goes on with %q", got)
	}
	last.Final = true
	m = epoch.New(two(), "me")
	m.Step(0, epoch.Begin{Last: last})
	m.Step(1, epoch.Published{Epoch: 7, Task: 2, Index: 0})
	if got := show(m.Step(2, epoch.Published{Epoch: 7, Task: 2, Index: 2})); got != "done 7" {
		t.Errorf("it ends with %q", got)
	}
}
