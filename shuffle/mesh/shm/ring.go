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
	RingOverhead = 512
	// FrameHeader is the number of bytes of a frame before its payload.
	FrameHeader = 16

	align = 16
)

// words are the ring's shared words, each on lines of its own: processors
// fetch lines in pairs.
type words struct {
	tail     atomic.Uint64
	_        [120]byte
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

// span is the number of bytes a frame with n bytes of payload takes.
func span(n uint64) uint64 { return (FrameHeader + n + align - 1) &^ (align - 1) }

// Producer is the writing side of a ring. One goroutine uses it at a time;
// Wake may be called by another.
type Producer struct {
	ring
	tail uint64 // ours: the shared word is only ever written
	head uint64 // the consumer's, as last seen
}

// NewProducer makes mem, of RingOverhead and a power of two bytes and all
// zero, the writing side of a ring.
func NewProducer(mem []byte) (*Producer, error) {
	r, err := attach(mem)
	return &Producer{ring: r}, err
}

// Most is the largest payload that the ring can hold at all.
func (p *Producer) Most() int { return len(p.data) - FrameHeader }

// Put appends a frame whose payload is parts, n bytes together. It reports
// false when there is no room for it now.
func (p *Producer) Put(label uint64, n int, parts [][]byte) (bool, error) {
	room, err := p.room(n)
	if !room || err != nil {
		return false, err
	}
	at := p.tail & p.mask
	binary.LittleEndian.PutUint64(p.data[at:], label)
	binary.LittleEndian.PutUint64(p.data[at+8:], uint64(n))
	at += FrameHeader
	for _, b := range parts {
		at &= p.mask
		k := copy(p.data[at:], b)
		copy(p.data, b[k:])
		at += uint64(len(b))
	}
	p.tail += span(uint64(n))
	p.words.tail.Store(p.tail)
	return true, nil
}

func (p *Producer) room(n int) (bool, error) {
	if n > p.Most() {
		return false, fmt.Errorf("frame of %d bytes in a ring of %d", n, len(p.data))
	}
	need, size := span(uint64(n)), uint64(len(p.data))
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
func (p *Producer) Drained() bool { return p.words.head.Load() == p.words.tail.Load() }

// Consumer is the reading side of a ring. One goroutine uses it at a time;
// Ready and Wake may be called by others.
type Consumer struct {
	ring
	head atomic.Uint64 // ours; atomic for Ready
	tail uint64        // the producer's, as last seen
	next uint64        // where the frame that was returned last ends
}

// NewConsumer makes mem, of RingOverhead and a power of two bytes and all
// zero, the reading side of a ring.
func NewConsumer(mem []byte) (*Consumer, error) {
	r, err := attach(mem)
	return &Consumer{ring: r}, err
}

// Ready reports whether Next would return something: a frame or an error.
func (c *Consumer) Ready() bool { return c.words.tail.Load() != c.head.Load() }

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
	if c.tail == head {
		tail := c.words.tail.Load()
		if tail == head {
			return Frame{}, false, nil
		}
		if tail < head || tail-head > size || tail%align != 0 {
			return Frame{}, false, fmt.Errorf("%w: its producer is at %d, its consumer at %d of %d bytes", ErrBroken, tail, head, size)
		}
		c.tail = tail
	}
	at := head & c.mask
	label, n := binary.LittleEndian.Uint64(c.data[at:]), binary.LittleEndian.Uint64(c.data[at+8:])
	if have := c.tail - head; n > have || span(n) > have {
		return Frame{}, false, fmt.Errorf("%w: a frame of %d bytes where %d are written", ErrBroken, n, have)
	}
	c.next = head + span(n)
	at = (at + FrameHeader) & c.mask
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
