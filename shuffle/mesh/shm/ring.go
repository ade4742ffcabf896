package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// ErrBroken is in the chain of what a ring returns when the words or frames
// that the other side wrote contradict themselves. The ring is of no use then.
var ErrBroken = errors.New("shared ring is broken")

const (
	// RingOverhead is the number of bytes of a ring beside its data.
	RingOverhead = 384
	// FrameHeader is the number of bytes of a frame before its payload.
	FrameHeader = 16

	align = 16
	// ahead is how far before its next frame a producer keeps the data clear:
	// the lines of small frames are its own when they come.
	ahead = 128
)

// words are the ring's shared words, each on lines of its own: processors
// fetch lines in pairs.
type words struct {
	head     atomic.Uint64
	_        [120]byte
	consumer atomic.Uint32 // 1: asleep
	_        [124]byte
	producer atomic.Uint32 // 1: asleep
	_        [124]byte
}

// ring is one side's view.
type ring struct {
	*words
	data []byte
	mask uint64
}

func attach(mem []byte) (ring, error) {
	n := len(mem) - RingOverhead
	if n < 1<<10 || bits.OnesCount(uint(n)) != 1 {
		return ring{}, fmt.Errorf("ring of %d bytes: want %d and a power of two of at least 1024", len(mem), RingOverhead)
	}
	base := unsafe.Pointer(unsafe.SliceData(mem))
	if uintptr(base)%64 != 0 {
		return ring{}, errors.New("ring does not start at a multiple of 64")
	}
	return ring{words: (*words)(base), data: mem[RingOverhead:], mask: uint64(n - 1)}, nil
}

// mark is the second word of the frame at a position: its length and one.
func (r *ring) mark(at uint64) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&r.data[at&r.mask+8]))
}

// most is the largest payload: beside its frame lies the mark of the next.
func (r *ring) most() int { return len(r.data) - FrameHeader - align }

// span is the number of bytes a frame with n bytes of payload takes.
func span(n uint64) uint64 { return (FrameHeader + n + align - 1) &^ (align - 1) }

// Producer is the writing side of a ring. One goroutine uses it at a time;
// Wake may be called by another.
type Producer struct {
	ring
	tail  uint64 // where the next frame starts
	clear uint64 // no mark lies between tail and here, nor at tail
	head  uint64 // the consumer's, as last seen
}

// NewProducer makes mem, of RingOverhead and a power of two bytes and all
// zero, the writing side of a ring.
func NewProducer(mem []byte) (*Producer, error) {
	r, err := attach(mem)
	return &Producer{ring: r, clear: uint64(len(r.data))}, err
}

// Most is the largest payload that the ring can hold at all.
func (p *Producer) Most() int { return p.most() }

// Put appends a frame whose payload is parts, n bytes together. It reports
// false when there is no room for it now.
func (p *Producer) Put(label uint64, n int, parts [][]byte) (bool, error) {
	room, err := p.room(n)
	if !room || err != nil {
		return false, err
	}
	start, end := p.tail, p.tail+span(uint64(n))
	if p.clear < end+align {
		p.mark(end).Store(0)
		p.clear = end + align
	}
	at := start & p.mask
	binary.LittleEndian.PutUint64(p.data[at:], label)
	at += FrameHeader
	for _, b := range parts {
		at &= p.mask
		k := copy(p.data[at:], b)
		copy(p.data, b[k:])
		at += uint64(len(b))
	}
	p.tail = end
	p.mark(start).Store(uint64(n) + 1)
	p.sweep()
	return true, nil
}

// sweep clears what the next small frames will need, while the consumer is
// busy with the last.
func (p *Producer) sweep() {
	if p.clear >= p.tail+ahead/2 {
		return
	}
	end := min((p.tail+ahead+ahead-1)&^(ahead-1), p.head+uint64(len(p.data)))
	for p.clear < end {
		from := p.clear & p.mask
		n := min(end-p.clear, uint64(len(p.data))-from)
		clear(p.data[from : from+n])
		p.clear += n
	}
}

func (p *Producer) room(n int) (bool, error) {
	if n > p.most() {
		return false, fmt.Errorf("frame of %d bytes in a ring of %d", n, len(p.data))
	}
	need, size := span(uint64(n))+align, uint64(len(p.data))
	if p.tail+need-p.head <= size {
		return true, nil
	}
	head := p.words.head.Load()
	if head < p.head || head > p.tail {
		return false, fmt.Errorf("%w: its consumer is at %d, between %d and %d were possible", ErrBroken, head, p.head, p.tail)
	}
	p.head = head
	return p.tail+need-p.head <= size, nil
}

// Sleep announces that the producer waits for room for a payload of n bytes.
// It reports false, and nothing is announced, when there is room already.
func (p *Producer) Sleep(n int) (bool, error) {
	p.words.producer.Store(1)
	room, err := p.room(n)
	if room || err != nil {
		p.words.producer.Store(0)
		return false, err
	}
	return true, nil
}

// Wake reports whether the consumer sleeps and the caller must wake it.
func (p *Producer) Wake() bool {
	return p.words.consumer.Load() == 1 && p.words.consumer.CompareAndSwap(1, 0)
}

// Drained reports whether the consumer has taken every frame.
func (p *Producer) Drained() bool { return p.words.head.Load() == p.tail }

// Consumer is the reading side of a ring. One goroutine uses it at a time;
// Ready and Wake may be called by others.
type Consumer struct {
	ring
	head atomic.Uint64 // ours; atomic for Ready
	end  atomic.Uint64 // where Last stops it
	next uint64        // where the frame that was returned last ends
}

// NewConsumer makes mem, of RingOverhead and a power of two bytes and all
// zero, the reading side of a ring.
func NewConsumer(mem []byte) (*Consumer, error) {
	r, err := attach(mem)
	c := &Consumer{ring: r}
	c.end.Store(^uint64(0))
	return c, err
}

// Ready reports whether Next would return something: a frame or an error.
func (c *Consumer) Ready() bool {
	head := c.head.Load()
	return c.mark(head).Load() != 0 && head < c.end.Load()
}

// Last says that the producer is gone: no more is read than the ring can hold,
// whatever lies in it.
func (c *Consumer) Last() { c.end.CompareAndSwap(^uint64(0), c.head.Load()+uint64(len(c.data))) }

// Frame is the oldest frame of a ring. Its payload is A, then B, which is not
// empty where the frame runs over the ring's end. Both lie in the ring and are
// good until Done.
type Frame struct {
	Label uint64
	A, B  []byte
}

// Len is the length of the payload.
func (f *Frame) Len() int { return len(f.A) + len(f.B) }

// Next returns the oldest frame, false when there is none.
func (c *Consumer) Next() (Frame, bool, error) {
	head, size := c.head.Load(), uint64(len(c.data))
	n := c.mark(head).Load() - 1
	if n == ^uint64(0) || head >= c.end.Load() {
		return Frame{}, false, nil
	}
	if n > uint64(c.most()) {
		return Frame{}, false, fmt.Errorf("%w: a frame of %d bytes in a ring of %d", ErrBroken, n, size)
	}
	label := binary.LittleEndian.Uint64(c.data[head&c.mask:])
	c.next = head + span(n)
	at := (head + FrameHeader) & c.mask
	first := min(n, size-at)
	return Frame{Label: label, A: c.data[at : at+first], B: c.data[:n-first]}, true, nil
}

// Done gives the room of the frame that Next returned last back to the
// producer, and reports whether the producer sleeps and must be woken.
func (c *Consumer) Done() bool {
	c.head.Store(c.next)
	c.words.head.Store(c.next)
	return c.words.producer.Load() == 1 && c.words.producer.CompareAndSwap(1, 0)
}

// Sleep announces that the consumer waits for a frame. It reports false, and
// nothing is announced, when there is one already.
func (c *Consumer) Sleep() bool {
	c.words.consumer.Store(1)
	if c.Ready() {
		c.words.consumer.Store(0)
		return false
	}
	return true
}
