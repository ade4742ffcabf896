package gang

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// anyEvent draws an event about few nodes and gangs, so that they meet often.
func anyEvent(t *rapid.T, s *Scheduler, now *int64) Event {
	*now += rapid.Int64Range(0, 4000).Draw(t, "pass")
	node := core.NodeID(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "node"))
	id := ID(rapid.SampledFrom([]string{"j1/m", "j2/m", "j3/m", "j4/m", "j5/m", "j6/m"}).Draw(t, "gang"))
	g, _ := s.Gang(id)
	rank := rapid.IntRange(-1, 6).Draw(t, "rank")
	switch rapid.IntRange(0, 13).Draw(t, "event") {
	case 0, 1:
		return NodeUp{*now, core.Node{
			ID: node, Rack: rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(t, "rack"),
			Capacity: core.Resources{CPU: core.MilliCPU(rapid.IntRange(0, 8).Draw(t, "cpus")) * 500, Memory: core.Bytes(rapid.IntRange(0, 8).Draw(t, "gigs")) << 30},
		}}
	case 2:
		return NodeDown{*now, node}
	case 3:
		return NodeDrain{Now: *now, ID: node, Drain: rapid.Bool().Draw(t, "drain")}
	case 4, 5, 6:
		return Submit{Now: *now, Request: anyRequest(t, id)}
	case 7:
		return Cancel{*now, id, ""}
	case 8, 9:
		return Started{*now, id, g.Lease}
	case 10:
		if rank := rapid.IntRange(-1, 4).Draw(t, "joined"); rank >= 0 {
			return MemberJoined{*now, id, g.Lease, rank}
		}
		return StartFailed{*now, id, g.Lease, node, "it broke"}
	case 11:
		return Release{Now: *now, Gang: id}
	case 12:
		return MemberLost{Now: *now, Gang: id, Rank: rank, Reason: "it died"}
	default:
		return MemberReplace{Now: *now, Gang: id, Rank: rank}
	}
}

func anyRequest(t *rapid.T, id ID) Request {
	q := Request{
		Gang: id, Job: core.JobID(strings.TrimSuffix(string(id), "/m")),
		Size:         rapid.IntRange(1, 6).Draw(t, "size"),
		Each:         core.Resources{CPU: core.MilliCPU(rapid.IntRange(0, 4).Draw(t, "cpu")) * 500, Memory: core.Bytes(rapid.IntRange(0, 2).Draw(t, "memory")) << 30},
		Priority:     rapid.IntRange(0, 2).Draw(t, "priority"),
		StartTimeout: rapid.Int64Range(0, 9000).Draw(t, "timeout"),
		Walltime:     rapid.Int64Range(0, 9000).Draw(t, "walltime"),
	}
	level := rapid.SampledFrom([]string{"", "host", "rack", "zone"}).Draw(t, "level")
	if rapid.Bool().Draw(t, "pack") {
		q.Placement.Pack = level
	} else {
		q.Placement.Spread = level
	}
	return q
}

// free is what every node has free; what is over is negative.
func free(s *Scheduler) map[core.NodeID]core.Resources {
	out := map[core.NodeID]core.Resources{}
	for _, n := range s.Snapshot().Nodes {
		out[n.ID] = n.Free
	}
	return out
}

// checkGrants holds a step's actions to laws G1, G2 and G6.
func checkGrants(t *rapid.T, s *Scheduler, r Result, last *uint64) {
	granted := map[core.NodeID]bool{}
	for _, a := range r.Actions {
		switch a := a.(type) {
		case Grant:
			g, _ := s.Gang(a.Gang)
			if len(a.Nodes) != g.Size {
				t.Fatalf("%v: not the whole gang of %d", a, g.Size)
			}
			if a.Lease <= *last {
				t.Fatalf("%v: lease %d was granted before", a, *last)
			}
			*last = a.Lease
			for _, id := range a.Nodes {
				granted[id] = true
			}
		case Replace:
			granted[a.Node] = true
		}
	}
	left := free(s)
	for id := range granted {
		if left[id].CPU < 0 || left[id].Memory < 0 {
			t.Fatalf("granted on %s, which has %v free", id, left[id])
		}
	}
	for _, n := range s.Snapshot().Nodes {
		if granted[n.ID] && n.State != "up" {
			t.Fatalf("granted on %s, which is %s", n.ID, n.State)
		}
	}
}

// TestLaws plays random events and checks the laws after each.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now, last := New(Config{}), int64(0), uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			e := anyEvent(t, s, &now)
			r := s.Step(e)
			checkGrants(t, s, r, &last)
			if err := audit(s); err != nil {
				t.Fatalf("after %#v: %v", e, err)
			}
			checkHead(t, s)
			for _, g := range s.Snapshot().Gangs {
				if x := s.Why(g.Gang); (g.Position > 0) != x.Waits() {
					t.Fatalf("%s at %d in line: %v", g.Gang, g.Position, x)
				}
			}
		}
	})
}

// checkHead holds the line to law G4: what is first and could run does not fit,
// and another pass changes nothing.
func checkHead(t *rapid.T, s *Scheduler) {
	c := s.Clone()
	c.moved = true
	if r := c.Step(Tick{}); len(r.Actions) > 0 {
		t.Fatalf("%v was possible before", r.Actions)
	}
}

// TestSameLogSameBytes replays one log twice, and once from a clone taken
// half-way (law G3).
func TestSameLogSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now := New(Config{}), int64(0)
		var log []Event
		var want strings.Builder
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			e := anyEvent(t, s, &now)
			log = append(log, e)
			fmt.Fprint(&want, s.Step(e), s)
		}
		again := New(Config{})
		var got strings.Builder
		for i, e := range log {
			if i == len(log)/2 {
				old := again
				again = again.Clone()
				old.Step(Tick{1 << 50}) // must not reach the clone
			}
			fmt.Fprint(&got, again.Step(e), again)
		}
		if got.String() != want.String() {
			t.Fatalf("two runs of one log differ:\n%s\n---\n%s", want.String(), got.String())
		}
	})
}

// TestHeadDoesNotStarve keeps a stream of small gangs coming after a large one:
// it runs as soon as those before it have ended.
func TestHeadDoesNotStarve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Config{})
		s.Step(NodeUp{1, core.Node{ID: "a", Capacity: core.Resources{CPU: 4000, Memory: 8 << 30}}})
		one := core.Resources{CPU: 1000, Memory: 1 << 30}
		submit := func(id ID, size int) Result {
			return s.Step(Submit{Now: 1, Request: Request{Gang: id, Size: size, Each: one, Priority: 50}})
		}
		before := rapid.IntRange(1, 4).Draw(t, "before")
		for i := range before {
			submit(ID(fmt.Sprintf("before%d/m", i)), 1)
		}
		submit("large/m", 4)
		for i := range before {
			for k := range rapid.IntRange(0, 3).Draw(t, "stream") {
				if r := submit(ID(fmt.Sprintf("after%d-%d/m", i, k)), 1); len(r.Actions) > 0 {
					t.Fatalf("%v passed the large gang", r.Actions)
				}
			}
			s.Step(Release{Now: 1, Gang: ID(fmt.Sprintf("before%d/m", i))})
		}
		if g, _ := s.Gang("large/m"); g.State != "starting" {
			t.Fatalf("the large gang is %s when all before it have ended", g.State)
		}
	})
}

// TestEstimateHolds: if every gang uses its walltime in full and nothing more
// comes, a gang starts no later than the estimate says.
func TestEstimateHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Config{})
		s.Step(NodeUp{1, core.Node{ID: "a", Capacity: core.Resources{CPU: 4000, Memory: 8 << 30}}})
		count := rapid.IntRange(2, 6).Draw(t, "gangs")
		for i := range count {
			s.Step(Submit{Now: 1, Request: Request{
				Gang: ID(fmt.Sprintf("j%d/m", i)), Size: rapid.IntRange(1, 4).Draw(t, "size"), Each: core.Resources{CPU: 1000},
				Walltime: rapid.Int64Range(1, 5000).Draw(t, "walltime"), StartTimeout: 1000,
			}})
		}
		last := ID(fmt.Sprintf("j%d/m", count-1))
		promise := s.Why(last).Estimate
		for now := int64(1); ; {
			g, _ := s.Gang(last)
			if g.State != "waiting" {
				if promise != 0 && now > promise {
					t.Fatalf("started at %d, promised by %d", now, promise)
				}
				return
			}
			if promise == 0 {
				t.Fatalf("every walltime is known and there is no estimate: %v", s.Why(last))
			}
			now = playOn(s)
		}
	})
}

// playOn starts whatever was granted, goes on to the next end and releases
// what is over. It returns the time.
func playOn(s *Scheduler) int64 {
	for _, g := range s.Snapshot().Gangs {
		if g.State == "starting" {
			s.Step(Started{s.now, g.Gang, g.Lease})
		}
	}
	now := s.Next()
	for _, a := range s.Step(Tick{now}).Actions {
		if a, ok := a.(Expire); ok {
			s.Step(Release{Now: now, Gang: a.Gang})
		}
	}
	return now
}
