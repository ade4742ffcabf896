package coordinate

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// stage is the tasks of one phase.
type stage struct {
	phase  task.Phase
	items  []*item
	queue  []*item // open tasks without a try, in the order in which to start them
	done   int
	failed int // tries, lost ones included
	// pace of finished tries, for speculation: milliseconds and bytes.
	paces []pace
}

type pace struct{ millis, bytes int64 }

// item is one task.
type item struct {
	*stage
	id       task.ID
	bytes    int64
	tries    []*try // in flight, cancelled ones included
	next     int    // number of the next try
	failures int
	deaths   int   // tries that ended with their executor
	lost     int   // times its output was lost
	failedOn []int // ranks
	done     *task.Done
	rank     int // where done was made
	wonAt    int // m.version when done was accepted

	// Of a task that reads exchange files:
	lo, hi  int     // partitions lo to hi-1
	sources []*item // whose files, in the order of the map tasks
	waits   bool    // some of sources are merges
	rows    uint64  // hash of the rows it must have read; see Machine.rowsOf
	reader  *item   // of a merge: the reduce task that reads its file
}

// try is one try in flight.
type try struct {
	*item
	no      int
	rank    int
	began   int64 // milliseconds
	moved   int64 // when it last made progress
	at      task.Progress
	version int  // m.version when it was sent: which map outputs it reads
	leaving bool // cancelled; its slot is free once it answered (law M6)
}

func newStage(phase task.Phase, sizes []int64, firstTry int) *stage {
	s := &stage{phase: phase, items: make([]*item, len(sizes))}
	for i, size := range sizes {
		s.items[i] = &item{stage: s, id: task.ID{Phase: phase, Index: i}, bytes: size, next: firstTry, rank: -1}
	}
	s.queue = slices.Clone(s.items)
	s.sortQueue()
	return s
}

// sortQueue puts large tasks first: a large one started last would run alone.
func (s *stage) sortQueue() {
	slices.SortStableFunc(s.queue, func(a, b *item) int {
		if a.failures+a.deaths > 0 != (b.failures+b.deaths > 0) {
			return cmp.Compare(b.failures+b.deaths, a.failures+a.deaths)
		}
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.id.Index, b.id.Index))
	})
}

func (s *stage) complete() bool { return s.done == len(s.items) }

// live counts the tries that may still win.
func (i *item) live() int {
	n := 0
	for _, t := range i.tries {
		if !t.leaving {
			n++
		}
	}
	return n
}

// requeue puts an open task without a live try at the front.
func (i *item) requeue() {
	if i.done != nil || i.live() > 0 || slices.Contains(i.queue, i) {
		return
	}
	i.queue = slices.Insert(i.queue, 0, i)
}

// unqueue takes a task out of the queue, if it is there.
func (i *item) unqueue() {
	if at := slices.Index(i.queue, i); at >= 0 {
		i.queue = slices.Delete(i.queue, at, at+1)
	}
}

// reopen makes a done task open again.
func (i *item) reopen() {
	i.done = nil
	i.stage.done--
	i.requeue()
}

// snapshot is the stage for the user.
func (s *stage) snapshot() core.Stage {
	out := core.Stage{Name: string(s.phase), Tasks: len(s.items), Done: s.done, Failed: s.failed}
	for _, i := range s.items {
		out.BytesTotal += i.bytes
		if i.done != nil {
			out.BytesDone += i.bytes
			out.Records += i.done.RecordsIn
			continue
		}
		var bytes, records int64
		for _, t := range i.tries {
			if !t.leaving {
				bytes, records = max(bytes, t.at.Bytes), max(records, t.at.Records)
			}
		}
		if i.live() > 0 {
			out.Running++
		}
		out.BytesDone += min(bytes, i.bytes)
		out.Records += records
	}
	return out
}
