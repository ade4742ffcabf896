package engine

import (
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/partition"
)

// credit is how many bytes a link holds.
const credit = 1 << 20

// Link leads from one task to another. Its methods may be called from any
// goroutine; one sends, and one receives.
type Link struct {
	credit int64
	// wakeReader and wakeWriter are told that there may be something to do.
	wakeReader, wakeWriter func()
	// Where the reader is in another process, mark takes its barriers; where the
	// writer is, took is told how many batches have been taken, and whether there
	// are more.
	mark func(barrier)
	took func(taken int64, more bool)

	mu       sync.Mutex
	queue    []arrow.Record
	bytes    int64 // of queue
	offered  int64 // batches, ever
	taken    int64
	barriers []barrier
}

// barrier is an epoch's, behind so many batches.
type barrier struct{ epoch, behind int64 }

// sizeOf is what a batch counts, with some bytes for itself.
func sizeOf(rec arrow.Record) int64 { return partition.RecordSize(rec) + 256 }

func newLink(reader, writer func()) *Link {
	return &Link{credit: credit, wakeReader: reader, wakeWriter: writer}
}

// drop releases what nobody will take.
func (l *Link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rec := range l.queue {
		rec.Release()
	}
	l.queue = nil
}

// Offer sends a batch if there is credit for it. The link owns it then.
func (l *Link) Offer(rec arrow.Record) bool {
	size := sizeOf(rec)
	l.mu.Lock()
	if len(l.queue) > 0 && l.bytes+size > l.credit {
		l.mu.Unlock()
		return false
	}
	l.queue = append(l.queue, rec)
	l.bytes += size
	l.offered++
	l.mu.Unlock()
	l.wakeReader()
	return true
}

// Room is how many bytes of credit are left.
func (l *Link) Room() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.credit - l.bytes
}

// Mark sends a barrier behind what was offered. It needs no credit.
func (l *Link) Mark(epoch int64) {
	l.mu.Lock()
	b := barrier{epoch, l.offered}
	l.mu.Unlock()
	if l.mark != nil {
		l.mark(b)
		return
	}
	l.hear(b)
}

// hear takes a barrier that may have overtaken batches.
func (l *Link) hear(b barrier) {
	l.mu.Lock()
	l.barriers = append(l.barriers, b)
	l.mu.Unlock()
	l.wakeReader()
}

// arrive takes a batch for which its writer had credit.
func (l *Link) arrive(rec arrow.Record) {
	l.mu.Lock()
	l.queue = append(l.queue, rec)
	l.bytes += sizeOf(rec)
	l.mu.Unlock()
	l.wakeReader()
}

// Due is the epoch whose barrier comes next, before any batch.
func (l *Link) Due() (epoch int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.barriers) == 0 || l.barriers[0].behind > l.taken {
		return 0, false
	}
	return l.barriers[0].epoch, true
}

// Pass takes the barrier that is due.
func (l *Link) Pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.barriers = l.barriers[1:]
}

// Take is the next batch, which is the caller's; nil if there is none before
// the next barrier.
func (l *Link) Take() arrow.Record {
	l.mu.Lock()
	if len(l.queue) == 0 || len(l.barriers) > 0 && l.barriers[0].behind <= l.taken {
		l.mu.Unlock()
		return nil
	}
	rec := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.bytes -= sizeOf(rec)
	l.taken++
	taken, more := l.taken, len(l.queue) > 0
	l.mu.Unlock()
	l.wakeWriter()
	if l.took != nil {
		l.took(taken, more)
	}
	return rec
}
