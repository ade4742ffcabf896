package calendar

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// TestEveryFiringOnce plays clocks that jump, crashes at any point, pauses and
// jobs that end, and holds what was submitted against a count of its own: every
// due time once, as its policies say, and every round of edges.
func TestEveryFiringOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGame(t)
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			g.play(t)
			g.check(t)
		}
		g.finish(t)
	})
}

// game is a calendar whose surroundings forget and repeat.
type game struct {
	c     *Calendar
	rows  map[string][]byte
	now   int64
	specs []Schedule
	jobs  map[core.JobID]core.State // Running or final; what the host knows
	order []core.JobID

	// The other count.
	mark   map[string]int64           // due times up to here were dealt with
	owed   map[string]map[int64]bool  // due times that have to fire or be skipped
	paused map[string]bool            //
	edges  map[string]map[string]bool // child → parents that have arrived
	rounds map[string]int
	tries  map[string]int // of the firing that has this id, failed so far
}

func newGame(t *rapid.T) *game {
	g := &game{
		c: New(time.LoadLocation), rows: map[string][]byte{}, jobs: map[core.JobID]core.State{},
		mark: map[string]int64{}, owed: map[string]map[int64]bool{}, paused: map[string]bool{},
		edges: map[string]map[string]bool{"c": {}, "d": {}}, rounds: map[string]int{}, tries: map[string]int{},
	}
	start, _ := time.Parse(time.RFC3339, rapid.SampledFrom([]string{"2026-10-24T20:00:00Z", "2027-03-27T20:00:00Z", "2026-11-01T03:00:00Z"}).Draw(t, "start"))
	g.now = start.UnixMilli()
	when := rapid.SampledFrom([]string{"*/20 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 */2 * * *"})
	for _, name := range []string{"a", "b"} {
		g.specs = append(g.specs, Schedule{Name: name, Cron: when.Draw(t, "cron"), Timezone: rapid.SampledFrom([]string{"Europe/Stockholm", "America/New_York"}).Draw(t, "zone"),
			CatchUp: rapid.SampledFrom([]string{"none", "last", "all"}).Draw(t, "catchUp"), CatchUpMax: rapid.IntRange(1, 5).Draw(t, "max"),
			Overlap: rapid.SampledFrom([]string{"skip", "queue", "cancel", "allow"}).Draw(t, "overlap"), Retry: Retry{Times: rapid.IntRange(0, 2).Draw(t, "retries")}})
	}
	g.specs = append(g.specs, Schedule{Name: "c", After: []Edge{{"a", ""}, {"b", "any"}}}, Schedule{Name: "d", After: []Edge{{"c", "any"}}, Overlap: "allow"})
	for _, s := range g.specs {
		s.Job = []byte("{}")
		g.do(t, Put{g.now, s})
		g.mark[s.Name], g.owed[s.Name] = g.now/1000, map[int64]bool{}
	}
	return g
}

func (g *game) play(t *rapid.T) {
	timed := rapid.SampledFrom([]string{"a", "b"})
	switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
	case op <= 3:
		g.now += rapid.SampledFrom([]int64{1, 59_000, 1_200_000, 3_600_000, 90_000_000, -1_800_000, -7_200_000}).Draw(t, "jump")
		g.expect()
		g.do(t, Tick{g.now})
	case op == 4:
		name := timed.Draw(t, "pause")
		g.paused[name] = true
		g.do(t, Pause{g.now, name})
	case op == 5:
		name := timed.Draw(t, "resume")
		delete(g.paused, name)
		if g.spec(name).CatchUp == "none" {
			g.mark[name] = max(g.mark[name], g.now/1000)
		}
		g.expectOf(g.spec(name))
		g.do(t, Resume{g.now, name})
	case op == 6:
		g.crash(t)
	default:
		if running := g.running(); len(running) > 0 {
			id := rapid.SampledFrom(running).Draw(t, "job")
			g.end(t, id, rapid.SampledFrom([]core.State{core.Succeeded, core.Succeeded, core.FailedJob}).Draw(t, "state"))
		}
	}
}

// do steps, and may crash between any two of: decide, write down, act.
func (g *game) do(t *rapid.T, ev Event) {
	for {
		next := g.c.Clone()
		r, err := next.Step(ev)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.IntRange(0, 15).Draw(t, "crash undecided") == 0 {
			g.crash(t)
			continue // the event comes again
		}
		for _, name := range r.Changed {
			g.rows[name] = next.Row(name)
		}
		g.c = next
		if rapid.IntRange(0, 15).Draw(t, "crash before acting") == 0 {
			g.crash(t)
			return
		}
		for _, a := range r.Actions {
			g.act(a)
		}
		return
	}
}

// crash makes the calendar anew, does again what is outstanding, and tells it of
// the jobs that have ended, as a host does that comes back.
func (g *game) crash(t *rapid.T) {
	c := New(time.LoadLocation)
	for _, name := range slices.Sorted(maps.Keys(g.rows)) {
		if err := c.Restore(g.rows[name]); err != nil {
			t.Fatal(err)
		}
		if again := string(c.Row(name)); again != string(g.rows[name]) {
			t.Fatalf("a row is not what it was:\n%s\n%s", g.rows[name], again)
		}
	}
	g.c = c
	for _, a := range c.Outstanding() {
		g.act(a)
	}
}

func (g *game) act(a Action) {
	switch a := a.(type) {
	case Submit:
		if g.jobs[a.Job] == "" {
			g.jobs[a.Job] = core.Running
			g.order = append(g.order, a.Job)
		}
	case Cancel: // the job ends when it likes
	}
}

func (g *game) running() (list []core.JobID) {
	for _, id := range g.order {
		if g.jobs[id] == core.Running {
			list = append(list, id)
		}
	}
	return list
}

// end ends a job and counts what follows from it.
func (g *game) end(t *rapid.T, id core.JobID, state core.State) {
	name, _, _ := strings.Cut(string(id), "-")
	superseded := g.superseded(name, id)
	g.jobs[id] = state
	base := string(id)
	if parts := strings.Split(base, "-"); len(parts) == 3 {
		base = parts[0] + "-" + parts[1]
	}
	if state != core.Succeeded {
		g.tries[base]++
	}
	if state == core.Succeeded || superseded || g.tries[base] > g.spec(name).Retry.Times {
		g.arrive(name, state == core.Succeeded)
	}
	g.do(t, JobEnded{g.now, id, state, ""})
	for range rapid.IntRange(0, 1).Draw(t, "told again") {
		g.do(t, JobEnded{g.now, id, state, ""})
	}
}

func (g *game) superseded(name string, id core.JobID) bool {
	e := g.c.entries[name]
	i := e.going(id)
	return i >= 0 && e.Running[i].Ending != ""
}

func (g *game) arrive(parent string, ok bool) {
	for _, s := range g.specs {
		if p := s.parent(parent); p != nil && (ok || p.Ended == "any") {
			g.edges[s.Name][parent] = true
			if len(g.edges[s.Name]) == len(s.After) {
				g.edges[s.Name] = map[string]bool{}
				g.rounds[s.Name]++
			}
		}
	}
}

func (g *game) spec(name string) Schedule {
	return g.specs[slices.IndexFunc(g.specs, func(s Schedule) bool { return s.Name == name })]
}

func (g *game) expect() {
	for _, s := range g.specs {
		if s.Cron != "" && !g.paused[s.Name] {
			g.expectOf(s)
		}
	}
}

// expectOf counts which due times have to come now.
func (g *game) expectOf(s Schedule) {
	z, _ := time.LoadLocation(s.Timezone)
	cr, _ := parseCron(s.Cron, z)
	var due []int64
	for d, _ := cr.next(g.mark[s.Name]); d*1000 <= g.now; d, _ = cr.next(d) {
		due = append(due, d)
	}
	if len(due) == 0 {
		return
	}
	last := due[len(due)-1]
	g.mark[s.Name] = last
	n := 1
	switch {
	case s.CatchUp == "none" && g.now/1000-last > 60:
		n = 0
	case s.CatchUp == "all" && s.Overlap != "cancel":
		n = s.CatchUpMax
	}
	for _, d := range due[max(0, len(due)-n):] {
		g.owed[s.Name][d] = true
	}
}

func (g *game) check(t *rapid.T) {
	for _, s := range g.specs {
		e := g.c.entries[s.Name]
		if o := s.overlap(); o != "allow" && len(e.Running) > 1 {
			t.Fatalf("%s: %d run, and overlap is %s", s.Name, len(e.Running), o)
		}
		if !e.Paused && len(e.Running) == 0 && len(e.Waiting) > 0 {
			t.Fatalf("%s: nothing runs, and %d wait", s.Name, len(e.Waiting))
		}
		if e.Rounds != int64(g.rounds[s.Name]) {
			t.Fatalf("%s: round %d, want %d", s.Name, e.Rounds, g.rounds[s.Name])
		}
		if got, want := fmt.Sprint(e.Arrived), fmt.Sprint(slices.Sorted(maps.Keys(g.edges[s.Name]))); got != want {
			t.Fatalf("%s: arrived are %s, want %s", s.Name, got, want)
		}
		for _, r := range e.Running {
			if g.jobs[r.Job] == "" && r.Again == 0 {
				t.Fatalf("%s: %s runs, and nobody submitted it", s.Name, r.Job)
			}
		}
	}
	for id, state := range g.jobs {
		if state == core.Running && g.c.owner(id) == "" {
			t.Fatalf("%s runs, and the calendar does not know it", id)
		}
	}
	g.checkTimes(t)
}

// checkTimes makes sure that every firing that was owed has a job, waits, or was
// skipped where its overlap says so, and that nothing else has.
func (g *game) checkTimes(t *rapid.T) {
	for _, s := range g.specs {
		if s.Cron == "" {
			continue
		}
		e := g.c.entries[s.Name]
		for id := range g.jobs {
			var d int64
			if n, _ := fmt.Sscanf(string(id), s.Name+"-%d", &d); n == 1 && !g.owed[s.Name][d] {
				t.Fatalf("%s was submitted, and should not have been", id)
			}
		}
		for d := range g.owed[s.Name] {
			id := e.id("", d)
			waits := slices.ContainsFunc(e.Waiting, func(f Firing) bool { return f.ID == id })
			may := s.overlap() == "skip" || s.overlap() == "cancel"
			if g.jobs[core.JobID(id)] == "" && !waits && !may {
				t.Fatalf("%s is owed, and lost", id)
			}
			if g.jobs[core.JobID(id)] != "" && waits {
				t.Fatalf("%s was submitted, and still waits", id)
			}
			if noted := slices.ContainsFunc(e.Past, func(p Ended) bool { return p.ID == id }); may && len(e.Past) < maxPast && !noted && !waits && g.jobs[core.JobID(id)] == "" {
				t.Fatalf("%s was skipped, and nobody says so", id)
			}
		}
	}
}

// finish lets all end that runs: then nothing is left that waits.
func (g *game) finish(t *rapid.T) {
	for name := range g.paused {
		g.do(t, Resume{g.now, name})
	}
	for list := g.running(); len(list) > 0; list = g.running() {
		for _, id := range list {
			g.jobs[id] = core.Succeeded
			g.do(t, JobEnded{g.now, id, core.Succeeded, ""})
		}
	}
	for name, e := range g.c.entries {
		if len(e.Running)+len(e.Waiting) > 0 {
			t.Fatalf("%s: %d run and %d wait at the end", name, len(e.Running), len(e.Waiting))
		}
		for n := range e.Rounds {
			if id := core.JobID(e.id("r", n+1)); g.jobs[id] == "" {
				t.Fatalf("%s never came", id)
			}
		}
	}
}
