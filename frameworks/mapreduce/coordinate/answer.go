package coordinate

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// message takes what a worker says. What a lost rank said before it was fenced
// may still arrive and is dropped: its tasks run elsewhere.
func (m *Machine) message(r int, up task.Up) {
	k := m.rank(r)
	if k == nil || !k.up || m.maps == nil {
		return
	}
	switch {
	case up.Progress != nil:
		m.progress(r, up.Progress)
	case up.Done != nil:
		m.done(r, up.Done)
	case up.Failed != nil:
		m.failed(r, up.Failed)
	case up.Inventory != nil:
		m.inventory(r, up.Inventory)
	}
}

// item is nil for a task the machine does not have.
func (m *Machine) item(id task.ID) *item {
	var s *stage
	switch id.Phase {
	case task.Sample:
		s = m.sample
	case task.Map:
		s = m.maps
	case task.Merge:
		s = m.merges
	case task.Reduce:
		return m.reduceFrom(id.Index)
	}
	if s == nil || id.Index < 0 || id.Index >= len(s.items) {
		return nil
	}
	return s.items[id.Index]
}

// reduceFrom is the reduce task whose first partition is lo, or nil.
func (m *Machine) reduceFrom(lo int) *item {
	if m.reduces == nil {
		return nil
	}
	at, ok := slices.BinarySearchFunc(m.reduces.items, lo, func(i *item, lo int) int { return i.lo - lo })
	if !ok {
		return nil
	}
	return m.reduces.items[at]
}

func (m *Machine) progress(r int, p *task.Progress) {
	i := m.item(p.Task)
	if i == nil {
		return
	}
	for _, t := range i.tries {
		if t.rank != r || t.no != p.Try {
			continue
		}
		if t.at != *p {
			t.moved = m.now
		}
		t.at = *p
	}
}

func (m *Machine) done(r int, d *task.Done) {
	t := m.release(r, d.Task, d.Try)
	i := m.item(d.Task)
	if i == nil {
		return
	}
	if i.done != nil {
		m.superfluous(r, i, d)
		return
	}
	if !m.fits(i, d.Index) {
		m.unfit(t, i, d)
		return
	}
	if i.consumes() {
		want, known := m.rowsOf(i)
		if !known {
			m.held = append(m.held, held{r, d})
			i.unqueue()
			return
		}
		if d.Read != want {
			m.noteOtherRows(i)
			i.requeue()
			return
		}
	}
	if t != nil {
		i.paces = append(i.paces, pace{millis: max(1, m.now-t.began), bytes: i.bytes})
	}
	m.accept(r, i, d)
}

// fits reports whether those that read the exchange file of i could read all of
// it.
func (m *Machine) fits(i *item, x Index) bool {
	lo, hi := 0, m.state.Partitions
	switch {
	case i.phase == task.Merge:
		lo, hi = i.lo, i.hi
	case i.phase != task.Map || hi == 0:
		return x == nil
	}
	return x != nil && x.Total == m.state.Partitions && x.First == lo && len(x.Partitions) == hi-lo
}

// unfit takes map output that reduce tasks could not read in full.
func (m *Machine) unfit(t *try, i *item, d *task.Done) {
	if t == nil || t.leaving {
		i.requeue()
		return
	}
	held := 0
	if d.Index != nil {
		held = len(d.Index.Partitions)
	}
	m.fault(t, core.Error{
		Kind: core.Failed, What: fmt.Sprintf("output has %d partitions, which are not those of the %d that it should have", held, m.state.Partitions),
		Remedy: "use one version of Capstan for host and program",
	}, false)
}

// superfluous takes a second result of a task: its file is of no use.
func (m *Machine) superfluous(r int, i *item, d *task.Done) {
	if m.rank(r) == nil || d.Index == nil || i.done.Index == nil || d.Index.Name == i.done.Index.Name {
		return
	}
	m.send(r, task.Down{Forget: []string{d.Index.Name}})
}

// accept makes d the result of its task (law M2).
func (m *Machine) accept(r int, i *item, d *task.Done) {
	i.done, i.rank = d, r
	i.stage.done++
	if d.Index != nil {
		m.version++
		i.wonAt = m.version
	}
	i.unqueue()
	for _, t := range i.tries {
		m.stop(t)
	}
	if i.reader != nil {
		m.merged(i.reader)
	}
}

func (m *Machine) failed(r int, f *task.Failed) {
	t := m.release(r, f.Task, f.Try)
	if t == nil {
		return
	}
	i := t.item
	if t.leaving || i.done != nil {
		// Cancelled: what there was to count is counted.
		i.requeue()
		return
	}
	if len(f.Lost) > 0 && i.consumes() {
		m.sourcesLost(t, f)
		return
	}
	m.fault(t, f.Err, f.Fatal)
}

// fault counts a failed try and has the task run again, or ends the job.
func (m *Machine) fault(t *try, e core.Error, fatal bool) {
	i := t.item
	i.stage.failed++
	i.failures++
	m.ranks[t.rank].failures++
	if !slices.Contains(i.failedOn, t.rank) {
		i.failedOn = append(i.failedOn, t.rank)
	}
	if fatal || i.failures >= m.cfg.Attempts {
		m.end(m.failure(t, e, fatal))
		return
	}
	m.note("%s failed on rank %d (%d of %d): %s", i.name(), t.rank, i.failures, m.cfg.Attempts, oneLine(e))
	i.requeue()
}

// sourcesLost runs again the tasks whose output t could not read, then t's.
func (m *Machine) sourcesLost(t *try, f *task.Failed) {
	t.stage.failed++
	for _, id := range f.Lost {
		i := m.item(id)
		// Open already, or made anew since t was sent.
		if i == nil || i.done == nil || i.done.Index == nil || i.wonAt > t.version {
			continue
		}
		i.lost++
		if i.lost >= m.cfg.Attempts {
			m.end(outputLost(i, f))
			return
		}
		m.note("output of %s is lost; it runs again", i.name())
		i.reopen()
		if i.phase == task.Map {
			m.settled = false
		}
	}
	t.item.requeue()
}

// inventory takes what a worker holds from before this generation.
func (m *Machine) inventory(r int, inv *task.Inventory) {
	for n := range inv.Done {
		m.done(r, &inv.Done[n])
	}
	for _, p := range inv.Running {
		m.adopt(r, p)
	}
	if !inv.More {
		m.ranks[r].asked = false
	}
}

// adopt takes over a try that an earlier generation started.
func (m *Machine) adopt(r int, p task.Progress) {
	i := m.item(p.Task)
	if i == nil || i.done != nil {
		m.send(r, task.Down{Cancel: &task.Cancel{Task: p.Task, Try: p.Try}})
		return
	}
	k := m.ranks[r]
	if slices.ContainsFunc(k.tries, func(t *try) bool { return t.item == i && t.no == p.Try }) {
		return
	}
	t := &try{item: i, no: p.Try, rank: r, began: m.now, moved: m.now, at: p, version: m.version}
	i.tries = append(i.tries, t)
	k.tries = append(k.tries, t)
	i.unqueue()
}
