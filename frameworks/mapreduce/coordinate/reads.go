package coordinate

import (
	"slices"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

const (
	// waves is how many reduce tasks a slot gets at least, if there are as many
	// partitions: with fewer, a slow one at the end leaves the other slots idle.
	waves = 8
	// mostCoalesced is the most bytes of partitions that one task takes together:
	// it has all of them in memory at once.
	mostCoalesced = 16 << 20
	// worthMerging is how many producers a merge must read: what it makes is read
	// again, so it pays where the same keys come from many of them.
	worthMerging = 4
)

// planReads decides what each reduce task reads, once every map task is done,
// and has it saved: tasks of every generation are those of one plan (law M1).
func (m *Machine) planReads() {
	m.state.Reads = m.reads()
	m.state.Planned = true
	m.layOut()
	m.save()
}

// reads plans by the sizes of the map outputs. Small partitions are coalesced,
// but so that every slot has waves tasks. A partition of twice a slot's share
// of all bytes, or more, is divided by producers if that pays.
func (m *Machine) reads() []shuffle.Share {
	if len(m.maps.items) == 0 {
		return []shuffle.Share{{Hi: m.state.Partitions}}
	}
	sources := outputs(m.maps.items)
	slots := int64(max(1, len(m.ranks)*m.cfg.Slots))
	total := int64(0)
	for _, x := range sources {
		total += x.Bytes()
	}
	most := int64(mostCoalesced)
	if m.cfg.Coalesce > 0 {
		most = min(most, m.cfg.Coalesce)
	}
	shares := planned(sources, max(1, min(most, total/(slots*waves))), false)
	fair := max(1, total/slots)
	if !m.combined() {
		return shares
	}
	var out []shuffle.Share
	for _, s := range shares {
		parts := []shuffle.Share{s}
		if s.Hi == s.Lo+1 && s.Bytes/2 >= fair {
			parts = planned(slicesOf(sources, s.Lo, s.Hi), fair, true)
		}
		if len(parts)*worthMerging > len(sources) {
			parts = []shuffle.Share{s}
		}
		out = append(out, parts...)
	}
	return out
}

// planned is shuffle.PlanReads of outputs that fit each other: they were checked
// when they were accepted.
func planned(sources []Index, target int64, divide bool) []shuffle.Share {
	shares, err := shuffle.PlanReads(sources, target, divide)
	if err != nil {
		panic(err)
	}
	return shares
}

// combined reports whether merging parts of a partition makes less of them: it
// can be done, and halved the pairs of the map tasks.
func (m *Machine) combined() bool {
	var emitted, kept int64
	for _, i := range m.maps.items {
		if !i.done.Combined {
			return false
		}
		emitted += i.done.RecordsOut
		kept += i.done.Index.Rows()
	}
	return emitted >= 2*kept
}

// layOut makes the tasks of the plan.
func (m *Machine) layOut() {
	m.merges = newStage(task.Merge, nil, m.cfg.FirstTry)
	m.reduces = newStage(task.Reduce, nil, m.cfg.FirstTry)
	var last *item
	for _, s := range m.state.Reads {
		if last == nil || last.lo != s.Lo {
			last = m.reduces.add(s.Lo, s.Lo, s.Hi, m.cfg.FirstTry)
		}
		maps := m.maps.items[s.From:s.To]
		switch {
		case !s.Divided(len(m.maps.items)):
			last.sources = maps
		case len(maps) == 1: // there is nothing to merge
			last.sources = append(last.sources, maps[0])
		default:
			merge := m.merges.add(len(m.merges.items), s.Lo, s.Hi, m.cfg.FirstTry)
			merge.sources, merge.reader = maps, last
			last.sources, last.waits = append(last.sources, merge), true
		}
	}
}

// add adds a task that reads the partitions lo to hi-1.
func (s *stage) add(index, lo, hi, firstTry int) *item {
	i := &item{stage: s, id: task.ID{Phase: s.phase, Index: index}, lo: lo, hi: hi, next: firstTry, rank: -1}
	s.items, s.queue = append(s.items, i), append(s.queue, i)
	return i
}

// consumes reports whether i reads exchange files.
func (i *item) consumes() bool { return i.phase == task.Merge || i.phase == task.Reduce }

// ready reports whether all that i reads is there, once the map stage is.
func (i *item) ready() bool {
	return !i.waits || !slices.ContainsFunc(i.sources, func(s *item) bool { return s.done == nil })
}

// weigh learns what i reads. Its sources are done.
func (i *item) weigh() {
	sources := outputs(i.sources)
	i.rows, i.bytes = task.RowHash(sources, i.lo, i.hi), 0
	for _, x := range slicesOf(sources, i.lo, i.hi) {
		i.bytes += x.Bytes()
	}
}

// rowsOf is what a task must have read for its result to count (law M5), and
// whether that is known yet.
func (m *Machine) rowsOf(i *item) (uint64, bool) { return i.rows, m.settled && i.ready() }

// mapsDone looks at what there is now to read, and at results that are there
// already.
func (m *Machine) mapsDone() {
	m.settled = true
	for _, s := range []*stage{m.merges, m.reduces} {
		for _, i := range s.items {
			if i.ready() {
				i.weigh()
				m.recheck(i)
			}
		}
		s.sortQueue()
	}
}

// merged looks at the reduce task that reads a merge which is done now.
func (m *Machine) merged(reader *item) {
	if reader.ready() {
		reader.weigh()
		m.recheck(reader)
	}
}

// recheck opens a task again that was done with other rows than those that count
// now.
func (m *Machine) recheck(i *item) {
	want, known := m.rowsOf(i)
	if i.done == nil || !known || i.done.Read == want {
		return
	}
	m.noteOtherRows(i)
	i.reopen()
}

func (m *Machine) noteOtherRows(i *item) {
	m.note("%s runs again: a map task run again gave other rows", i.name())
}

// takeHeld takes results that came before it was known what they had to read.
func (m *Machine) takeHeld() {
	late := m.held
	m.held = nil
	for _, h := range late {
		m.done(h.rank, h.done)
	}
}

// outputs are the exchange files of done tasks.
func outputs(items []*item) []Index {
	list := make([]Index, len(items))
	for n, i := range items {
		list[n] = i.done.Index
	}
	return list
}

// slicesOf are the partitions lo to hi-1 of sources, which hold them: they were
// checked when they were accepted.
func slicesOf(sources []Index, lo, hi int) []Index {
	list := make([]Index, len(sources))
	for n, x := range sources {
		s, err := x.SliceRange(lo, hi)
		if err != nil {
			panic(err)
		}
		list[n] = s
	}
	return list
}
