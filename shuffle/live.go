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

// errLiveTaken is of a second producer.
var errLiveTaken = errors.New("the live side has a producer")

// Live hands the runs of one producer to consumers before the commit: to those
// of the same process by its readers, to others of the host by announcers. Its
// producer never waits (law L1): a run goes to the spill file in any case, and
// to the partition's consumer too while there is credit. What a consumer missed
// it reads from the committed object.
//
//	                     ┌─ credit ─→ queue ─→ LiveReader.Next     runs 0 to k-1
//	run ─→ spill file ───┤
//	                     └─ no credit: cut                         runs k to the end,
//	                        ─→ Commit ─→ object ─→ Source.Open ─→  of the object
//
// Make it with [NewLive], give it to one writer in [PartitionedOptions.Live],
// and make the readers and announcers before that writes. In a consumer's
// process give it to [Live.Follow] instead. It is safe for concurrent use.
type Live struct {
	codecs block.Codecs
	pool   slab.Pool

	mu      sync.Mutex
	begun   bool // it has a writer, or follows one
	schema  *arrow.Schema
	codec   block.Codec
	away    []*Announcer
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
	c, err := block.ParseCodec(codec)
	if err != nil {
		return err
	}
	o, err := openingOf(schema, string(c), parts)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun {
		return errLiveTaken
	}
	l.begun, l.schema, l.codec = true, schema, c
	cut := len(block.Dictionaries(schema)) > 0 // a run's indices may name what is not written yet
	for p := range l.parts {
		l.parts[p].cut = l.parts[p].cut || cut
	}
	for _, a := range l.away {
		a.begin(o, cut)
	}
	l.tell()
	return nil
}

// reserve takes credit for n bytes of partition p, or cuts it.
func (l *Live) reserve(p int, n int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	part := &l.parts[p]
	part.cut = part.cut || !part.taken || n > l.credit
	if !part.cut {
		l.credit -= n
	}
	return !part.cut
}

// enqueue gives a run whose credit is taken to the reader of partition p.
func (l *Live) enqueue(p int, r liveRun) {
	l.mu.Lock()
	part := &l.parts[p]
	cut := part.cut // the reader was closed meanwhile
	if !cut {
		part.queue = append(part.queue, r)
		l.tell()
	}
	l.mu.Unlock()
	if cut {
		l.forget(r)
	}
}

// forget gives up a run.
func (l *Live) forget(r liveRun) {
	if r.buf != nil {
		r.buf.Release()
		return
	}
	l.giveBack(r.length)
}

func (l *Live) giveBack(n int64) {
	l.mu.Lock()
	l.credit += n
	l.mu.Unlock()
}

// take queues the message of partition p that lies in file, if it may be.
func (l *Live) take(p int, file string, x *piece) {
	if l.reserve(p, x.length) {
		l.enqueue(p, liveRun{file: file, off: x.off, length: x.length, crc: x.crc, batch: x.batch})
	}
}

// offer queues the message of partition p if it may be. It does not wait.
func (l *Live) offer(p int, x *piece, message []byte) {
	if !l.reserve(p, int64(len(message))) {
		return
	}
	b := l.pool.Get(len(message))
	copy(b, message)
	l.enqueue(p, liveRun{buf: memory.NewBufferWithAllocator(b, credited{l, &l.pool}), crc: x.crc, batch: x.batch})
}

// announce tells consumers in other processes of a run that lies in file.
func (l *Live) announce(file string, r *run) {
	for _, a := range l.away {
		a.announce(file, r)
	}
}

// named reports whether the spill file needs a name, for other processes.
func (l *Live) named() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.away) > 0
}

// finish says how the writer ended. Only the first call counts.
func (l *Live) finish(x *Index, err error) {
	l.mu.Lock()
	if l.done {
		l.mu.Unlock()
		return
	}
	l.index, l.err, l.done = x, err, true
	for _, a := range l.away {
		a.finish(x)
	}
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
		l.forget(r)
	}
}
