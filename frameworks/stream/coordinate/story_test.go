package coordinate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/epoch"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/frameworks/stream/wire"
)

// two is a topology of a source (task 1, rank 0) and a sink (task 2, rank 1).
func two() *topology.Topology {
	return &topology.Topology{Epoch: time.Second, Groups: 4, Components: []topology.Component{
		{ID: "s", Role: topology.Source, Tasks: 1}, {ID: "k", Role: topology.Sink, Tasks: 1}}}
}

func show(effects []Effect) string {
	var list []string
	for _, f := range effects {
		switch f := f.(type) {
		case Send:
			list = append(list, fmt.Sprint(f.Rank, " ", word(f.Down)))
		case Commit:
			list = append(list, fmt.Sprint("commit ", f.Manifest.Epoch, " of ", f.Manifest.Owner))
		case Renew:
			list = append(list, "renew")
		case End:
			list = append(list, fmt.Sprint("end ", core.KindOf(f.Err)))
		}
	}
	return strings.Join(list, ", ")
}

func word(d wire.Down) string {
	switch {
	case d.Query != nil:
		return "query"
	case d.Begin != nil:
		from := int64(0)
		if d.Begin.From != nil {
			from = d.Begin.From.Epoch
		}
		return fmt.Sprint("begin ", d.Begin.Incarnation, " from ", from)
	case d.Trigger != nil:
		return fmt.Sprint("trigger ", d.Trigger.Epoch)
	case d.Passed != nil:
		return fmt.Sprint("passed ", d.Passed.Epoch)
	case d.Publish != nil:
		return fmt.Sprint("publish ", d.Publish.Epoch)
	case d.Stop != nil:
		return fmt.Sprint("stop ", d.Stop.Incarnation)
	}
	return "?"
}

func hello(rank, running int) Event {
	return FromRank{rank, wire.Up{Hello: &wire.Hello{Host: "h", Running: running}}}
}

func handed(rank, incarnation int, number int64) Event {
	p := snapshot.Piece{Component: []string{"s", "k"}[rank]}
	return FromRank{rank, wire.Up{Told: wire.TellOf(incarnation, epoch.Handed{Epoch: number, Task: rank + 1, Piece: p})}}
}

func ended(rank, incarnation int) Event {
	return FromRank{rank, wire.Up{Ended: &wire.Ended{Incarnation: incarnation, Err: core.Error{Kind: core.Failed, What: "x"}, Lost: -1}}}
}

// line is an event at a time, and what has to come of it.
type line struct {
	now   int64
	event Event
	want  string
}

func tell(t *testing.T, m *Machine, story []line) {
	t.Helper()
	for i, l := range story {
		if got := show(m.Step(l.now, l.event)); got != l.want {
			t.Fatalf("line %d: %+v gives %q, want %q", i, l.event, got, l.want)
		}
	}
}

func committed(number int64) Event { return Committed{Manifest: &snapshot.Manifest{Epoch: number}} }

// A rank is lost in the middle of an epoch: all go back to the one before.
func TestLoss(t *testing.T) {
	m := New(two(), "o", nil)
	tell(t, m, []line{
		{0, Begin{}, ""},
		{1, GangUp{Size: 2}, "0 query, 1 query"},
		{2, hello(0, 0), ""},
		{3, hello(1, 0), "0 begin 1 from 0, 1 begin 1 from 0"},
		{1010, Tick{}, "0 trigger 1, 1 trigger 1"},
		{1011, handed(0, 1, 1), ""},
		{1012, handed(1, 9, 1), ""}, // of another incarnation
		{1013, handed(1, 1, 1), "commit 1 of o-1"},
		{1014, committed(1), "0 passed 1, 1 passed 1"},
		{2100, Tick{}, "0 trigger 2, 1 trigger 2"},
		{2101, handed(0, 1, 2), ""},
		{2102, RankLost{Rank: 1, Reason: "killed"}, "0 stop 1"},
		{2103, handed(1, 1, 2), ""}, // of a lost rank
		{2104, RankReplaced{Rank: 1}, "1 query"},
		{2105, hello(1, 0), ""}, // rank 0 has not ended
		{2106, ended(0, 1), "0 begin 2 from 1, 1 begin 2 from 1"},
		{3200, Tick{}, "0 trigger 2, 1 trigger 2"},
	})
}

// While a commit is under way no incarnation begins: it is open which epoch it
// would begin from (law C1).
func TestLossDuringCommit(t *testing.T) {
	m := New(two(), "o", nil)
	tell(t, m, []line{
		{1, GangUp{Size: 2}, "0 query, 1 query"},
		{2, hello(0, 0), ""},
		{3, hello(1, 0), "0 begin 1 from 0, 1 begin 1 from 0"},
		{1010, Tick{}, "0 trigger 1, 1 trigger 1"},
		{1011, handed(0, 1, 1), ""},
		{1012, handed(1, 1, 1), "commit 1 of o-1"},
		{1013, RankLost{Rank: 0, Reason: "killed"}, "1 stop 1"},
		{1014, ended(1, 1), ""},
		{1015, RankReplaced{Rank: 0}, "0 query"},
		{1016, hello(0, 0), ""},
		{1017, committed(1), "0 begin 2 from 1, 1 begin 2 from 1"},
	})
}

// A coordinator that comes after another stops what runs, and begins anew.
func TestNextGeneration(t *testing.T) {
	m := New(two(), "o2", &snapshot.Manifest{Epoch: 5})
	tell(t, m, []line{
		{1, GangUp{Size: 2, Lost: []int{1}}, "0 query"},
		{2, hello(0, 3), "0 stop 3"},
		{3, ended(0, 3), ""},
		{4, RankReplaced{Rank: 1}, "1 query"},
		{5, hello(1, 0), "0 begin 1 from 5, 1 begin 1 from 5"},
	})
}

// What fails again and again without an epoch in between ends the attempt; what
// no repetition mends ends it at once, and so does another owner's commit.
func TestEnds(t *testing.T) {
	m := New(two(), "o", nil)
	tell(t, m, []line{{1, GangUp{Size: 2}, "0 query, 1 query"}, {2, hello(0, 0), ""}})
	m.Step(3, hello(1, 0))
	for n := 1; n <= repairs; n++ {
		tell(t, m, []line{{int64(n), ended(0, n), fmt.Sprint("1 stop ", n)}, {int64(n), ended(1, n), fmt.Sprintf("0 begin %d from 0, 1 begin %[1]d from 0", n+1)}})
	}
	tell(t, m, []line{{10, ended(0, repairs+1), "end failed"}, {11, Tick{}, ""}})

	m = New(two(), "o", nil)
	m.Step(1, GangUp{Size: 2})
	m.Step(2, hello(0, 0))
	m.Step(3, hello(1, 0))
	tell(t, m, []line{{4, FromRank{0, wire.Up{Ended: &wire.Ended{Incarnation: 1, Err: core.Error{Kind: core.Invalid}, Lost: -1}}}, "end invalid"}})

	m = New(two(), "o", nil)
	tell(t, m, []line{{1, CancelAsked{Reason: "x"}, "end cancelled"}})
	m = New(two(), "o", nil)
	tell(t, m, []line{{1, Committed{Err: core.Errorf(core.Conflict, "x")}, "end conflict"}})
}

// A gang that has to give way goes after the epoch, and the next goes on from it.
func TestGiveWay(t *testing.T) {
	m := New(two(), "o", nil)
	tell(t, m, []line{
		{1, GangUp{Size: 2}, "0 query, 1 query"},
		{2, hello(0, 0), ""},
		{3, hello(1, 0), "0 begin 1 from 0, 1 begin 1 from 0"},
		{4, GiveWay{Reason: "x"}, ""},
		{1010, Tick{}, "0 trigger 1, 1 trigger 1"},
		{1011, handed(0, 1, 1), ""},
		{1012, handed(1, 1, 1), "commit 1 of o-1"},
		{1013, committed(1), "renew"},
		{1014, Tick{}, ""},
		{1015, GangUp{Size: 1}, "0 query"},
		{1016, hello(0, 0), "0 begin 2 from 1"},
	})
}
