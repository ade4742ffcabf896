package gang

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// single is a name of which one job runs at a time.
type single struct{ user, name string }

// job is the record of a job, made if there is none.
func (s *Scheduler) job(id core.JobID) *job {
	j := s.jobs[id]
	if j == nil {
		j = &job{id: id}
		s.jobs[id] = j
	}
	return j
}

// jobOf is the record of g's job, made anew if it was dropped since g came.
func (s *Scheduler) jobOf(g *member) *job {
	if g.job.dropped {
		g.job = s.job(g.Job)
	}
	return g.job
}

// knownJob is the record of g's job, nil if it was dropped.
func (s *Scheduler) knownJob(g *member) *job {
	if g.job.dropped {
		return s.jobs[g.Job]
	}
	return g.job
}

// await files g under whatever may let it go later.
func (s *Scheduler) await(g *member) {
	for _, d := range g.When.After {
		j := s.job(d.Job)
		if !slices.Contains(j.waiters, g) {
			j.waiters = append(j.waiters, g)
		}
	}
	s.awaitTurn(g)
}

// awaitTurn puts the job of g into the row of its name, if it is a single one.
func (s *Scheduler) awaitTurn(g *member) {
	if !g.When.Singleton {
		return
	}
	key := single{g.User, g.Name}
	if list := s.singles[key]; !slices.Contains(list, g.Job) {
		s.singles[key] = append(list, g.Job)
	}
	s.jobOf(g).single = &key
}

// unawait is the reverse of await, but for the turn of a single job, which
// passes when the job has ended.
func (s *Scheduler) unawait(g *member) {
	for _, d := range g.When.After {
		if j := s.jobs[d.Job]; j != nil {
			j.waiters = slices.DeleteFunc(j.waiters, func(w *member) bool { return w == g })
			s.dropJob(j)
		}
	}
}

// dropJob forgets a job of which nothing is known and nothing asked any more.
func (s *Scheduler) dropJob(j *job) {
	if (j.forgotten || !j.known || j.blank()) && len(j.gangs) == 0 && len(j.waiters) == 0 {
		delete(s.jobs, j.id)
		j.dropped = true
		s.asides.removeJob(j)
	}
}

// blank reports whether nothing is known of j that would be asked: it is made
// again when it ends.
func (j *job) blank() bool { return j.ended == Unsaid && j.single == nil && len(j.arrays) == 0 }

// held lists what other than room holds g back; nothing if it may run. An
// array that waits element by element may run when one of them may.
func (s *Scheduler) holds(g *member) []string {
	var out []string
	if g.When.Hold {
		out = append(out, fmt.Sprintf("it is held until somebody releases it: capstan release %s", g.Job))
	}
	if g.When.Begin > s.now {
		out = append(out, fmt.Sprintf("it is not to begin before %s from now", millis(g.When.Begin-s.now)))
	}
	for _, d := range g.When.After {
		if why := s.pends(g, d); why != "" {
			out = append(out, why)
		}
	}
	if g.When.Singleton {
		if list := s.singles[single{g.User, g.Name}]; len(list) > 0 && list[0] != g.Job {
			out = append(out, fmt.Sprintf("only one job called %s runs at a time, and %s is before it", g.Name, list[0]))
		}
	}
	return out
}

// pends says what d still waits for; "" if nothing.
func (s *Scheduler) pends(g *member, d core.Dependency) string {
	j := s.jobs[d.Job]
	if d.Each && g.array != nil && j != nil && len(j.arrays) > 0 && j.ended == Unsaid {
		if within := s.elementsEnded(d, g.Array); len(intersect(g.array.waits, within)) > 0 || len(g.array.waits) == 0 {
			return ""
		}
		return fmt.Sprintf("no element of %s that it waits for has ended yet", d.Job)
	}
	if j == nil || j.ended == Unsaid {
		return fmt.Sprintf("%s has not ended yet", d.Job)
	}
	return ""
}

// never says why a dependency of g can no longer come true; "" if it can.
func (s *Scheduler) never(g *member) string {
	for _, d := range g.When.After {
		j := s.jobs[d.Job]
		if j == nil || j.ended == Unsaid || d.Each && g.array != nil && len(j.arrays) > 0 {
			continue
		}
		switch {
		case (d.Ended == "" || d.Ended == "ok") && j.ended == Failed:
			return fmt.Sprintf("it was to run after the success of %s, which did not succeed", d.Job)
		case d.Ended == "failed" && j.ended == OK:
			return fmt.Sprintf("it was to run after a failure of %s, which succeeded", d.Job)
		}
	}
	return ""
}

// reconsider looks anew at what waits for a job.
func (s *Scheduler) reconsider(j *job) {
	if j == nil {
		return
	}
	for _, g := range slices.Clone(j.waiters) {
		s.recheck(g)
	}
}

// recheck moves g between held and waiting as its holds say, and gives it up
// if they can never end.
func (s *Scheduler) recheck(g *member) {
	if g.phase != held && g.phase != waiting || g.gone {
		return // it runs, or somebody it waited for took it along
	}
	if why := s.never(g); why != "" {
		s.giveUp(g, Refuse{Gang: g.Gang, Kind: core.Cancelled, Why: why, Remedy: "run the other job again, then submit this one again"})
		return
	}
	if last := g.lastStart(); last != 0 && s.now > last {
		s.giveUp(g, tooLate(g.Request))
		return
	}
	if g.array != nil {
		s.skipElements(g)
		if g.gone {
			return
		}
	}
	if len(s.holds(g)) > 0 {
		s.outOfLine(g)
		g.phase = held
		s.asides.add(g)
		s.expectChange(g)
		return
	}
	s.lineUp(g)
}

// giveUp refuses a gang that waits, or of an array of which some elements had
// their turn those that wait.
func (s *Scheduler) giveUp(g *member, why Refuse) {
	a := g.array
	switch {
	case a == nil || !a.begun:
		s.forget(g)
	case len(a.waits) == 0:
		s.lineUp(g) // its others run or have ended
		return
	default:
		why.Elements, why.Remedy = indexes(a.waits, g.Array), ""
		a.failed = union(a.failed, a.waits)
		a.waits = nil
		s.lineUp(g)
		s.reconsider(s.knownJob(g))
	}
	s.refused = append(s.refused, why)
}

// skipElements gives up the elements of g whose counterparts ended otherwise
// than they want, and all that are left when the other job is over and has
// none of them.
func (s *Scheduler) skipElements(g *member) {
	for _, d := range g.When.After {
		j := s.jobs[d.Job]
		if !d.Each || j == nil || len(j.arrays) == 0 {
			continue
		}
		var not spans
		for _, a := range j.arrays {
			if d.Ended == "" || d.Ended == "ok" {
				not = union(not, translate(a.failed, a.of, g.Array))
			}
			if d.Ended == "failed" {
				not = union(not, translate(a.ok, a.of, g.Array))
			}
		}
		gone := intersect(g.array.waits, not)
		if j.ended != Unsaid {
			gone = subtract(g.array.waits, s.elementsEnded(d, g.Array))
		}
		if len(gone) == 0 {
			continue
		}
		why := Refuse{Gang: g.Gang, Kind: core.Cancelled, Why: fmt.Sprintf("the elements of %s with these indexes did not end as they were to", d.Job)}
		if len(subtract(g.array.waits, gone)) == 0 {
			s.giveUp(g, why)
			return
		}
		g.array.waits, g.array.failed = subtract(g.array.waits, gone), union(g.array.failed, gone)
		why.Elements = indexes(gone, g.Array)
		s.refused = append(s.refused, why)
		s.reconsider(s.knownJob(g))
	}
}

func (s *Scheduler) jobEnded(e JobEnded) {
	j := s.job(e.Job)
	if j.ended != e.Ended {
		j.ended, j.known = e.Ended, true
		s.asides.addJob(j)
		s.reconsider(j)
	}
	if j.single != nil {
		s.passTurn(*j.single, e.Job)
		j.single = nil
	}
}

// passTurn takes a job out of the row of its name.
func (s *Scheduler) passTurn(key single, id core.JobID) {
	list := s.singles[key]
	if i := slices.Index(list, id); i >= 0 {
		s.singles[key] = slices.Delete(list, i, i+1)
		s.turn(key)
	}
}

// turn lets the next single job of a name run.
func (s *Scheduler) turn(key single) {
	list := s.singles[key]
	if len(list) == 0 {
		delete(s.singles, key)
		return
	}
	for _, g := range s.ordered() {
		if g.Job == list[0] && g.phase == held {
			s.recheck(g)
		}
	}
}

func (s *Scheduler) jobForgotten(id core.JobID) {
	if j := s.jobs[id]; j != nil {
		j.forgotten = true
		s.dropJob(j)
	}
}

func (s *Scheduler) hold(e Hold) {
	for _, g := range s.ordered() {
		if g.Job == e.Job && g.whole == nil && (g.phase == held || g.phase == waiting) {
			q := *g.Request
			q.When.Hold = e.Hold
			g.Request = &q
			s.recheck(g)
		}
	}
}
