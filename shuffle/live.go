package shuffle

import (
	"errors"
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/slab"
)

// ErrAborted is returned by a [LiveReader] whose producer ended without a
// commit: what was read of it must be forgotten.
var ErrAborted = errors.New("exchange producer ended without a commit")

// Live hands the runs of one producer to consumers of the same process before
// the commit. Its producer never waits (law L1): a run goes to the spill file
// in any case, and to the partition's consumer too while there is credit. What
// a consumer missed it reads from the committed object.
//
//	                     ┌─ credit ─→ queue ─→ LiveReader.Next     runs 0 to k-1
//	run ─→ spill file ───┤
//	                     └─ no credit: cut                         runs k to the end,
//	                        ─→ Commit ─→ object ─→ Source.Open ─→  of the object
//
// Make it with [NewLive], give it to one writer in [PartitionedOptions.Live],
// and make the readers before that writes. It is safe for concurrent use.
type Live struct {
	schema *arrow.Schema
	codec  block.Codec
	codecs block.Codecs
	pool   slab.Pool

	mu      sync.Mutex
	credit  int64 // bytes that may yet be queued
	parts   []livePart
	index   *Index        // of the committed object
	err     error         // why there is none
	done    bool          // index or err is set
	changed chan struct{} // closed, and another made, when there is news
}

// livePart is one partition on its way to its consumer.
type livePart struct {
	taken bool // it has a reader
	cut   bool // a run was not queued: none is from now on
	queue []liveRun
}

// liveRun is the message of one partition in one run.
type liveRun struct {
	buf   *memory.Buffer
	crc   uint32
	batch Batch
}

// NewLive returns the live side of a producer with so many partitions, whose
// consumers hold at most credit bytes of runs, those in their records included.
func NewLive(partitions int, credit int64) *Live {
	return &Live{parts: make([]livePart, partitions), credit: credit, changed: make(chan struct{})}
}

// Reader returns the reader of partition p; a partition has one. After the
// commit it opens the rest by src.
func (l *Live) Reader(src *Source, p int) (*LiveReader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p < 0 || p >= len(l.parts) {
		return nil, fmt.Errorf("read partition %d of a live exchange: there are %d", p, len(l.parts))
	}
	if l.parts[p].taken {
		return nil, fmt.Errorf("read partition %d of a live exchange: it has a reader", p)
	}
	l.parts[p].taken = true
	return &LiveReader{live: l, src: src, part: p}, nil
}

// start is called by the writer with what its runs are made of.
func (l *Live) start(schema *arrow.Schema, parts int, spread bool, codec string) error {
	if parts != len(l.parts) {
		return fmt.Errorf("a live side of %d partitions, want %d", len(l.parts), parts)
	}
	if spread {
		return errors.New("a broadcast has no live side: its consumers read it after the commit")
	}
	l.schema = schema
	l.codec, _ = block.ParseCodec(codec) // checked by the writer
	if len(block.Dictionaries(schema)) > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		for p := range l.parts {
			l.parts[p].cut = true // a run's indices may name what is not written yet
		}
	}
	return nil
}

// offer queues the message of partition p if it may be. It does not wait.
func (l *Live) offer(p int, x *piece, message []byte) {
	n := int64(len(message))
	l.mu.Lock()
	part := &l.parts[p]
	part.cut = part.cut || !part.taken || n > l.credit
	if part.cut {
		l.mu.Unlock()
		return
	}
	l.credit -= n
	l.mu.Unlock()
	b := l.pool.Get(len(message))
	copy(b, message)
	run := liveRun{buf: memory.NewBufferWithAllocator(b, credited{l}), crc: x.crc, batch: x.batch}

	l.mu.Lock()
	cut := part.cut // the reader was closed meanwhile
	if !cut {
		part.queue = append(part.queue, run)
		l.tell()
	}
	l.mu.Unlock()
	if cut {
		run.buf.Release()
	}
}

// finish says how the writer ended. Only the first call counts.
func (l *Live) finish(x *Index, err error) {
	l.mu.Lock()
	if l.done {
		l.mu.Unlock()
		return
	}
	l.index, l.err, l.done = x, err, true
	l.tell()
	l.mu.Unlock()
	if err != nil {
		for p := range l.parts {
			l.drop(p)
		}
	}
}

// tell wakes who waits; the caller holds mu.
func (l *Live) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// drop empties the queue of partition p and ends it.
func (l *Live) drop(p int) {
	l.mu.Lock()
	runs := l.parts[p].queue
	l.parts[p].queue, l.parts[p].cut = nil, true
	l.mu.Unlock()
	for _, r := range runs {
		r.buf.Release()
	}
}

// credited is the allocator of one run's buffer, whose last release gives its
// credit back.
type credited struct{ l *Live }

func (c credited) Free(b []byte) {
	c.l.pool.Free(b)
	c.l.mu.Lock()
	c.l.credit += int64(len(b))
	c.l.mu.Unlock()
}

func (credited) Allocate(int) []byte           { panic("shuffle: a run's buffer does not allocate") }
func (credited) Reallocate(int, []byte) []byte { panic("shuffle: a run's buffer does not grow") }
