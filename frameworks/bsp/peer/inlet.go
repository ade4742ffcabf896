package peer

import (
	"context"
	"fmt"
	"sync"

	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/slab"
)

// inlet takes what peers send as it comes, so that no sender waits for this
// rank's program. It holds at most budget bytes, and of each sender's shared
// memory at most share; the rest it copies to disk or to memory of its own.
//
//	mesh ─ run ─→ deliver ─→ arriving[superstep mod 2] ─ close ─→ the program's mail
//
// A peer is at most one superstep ahead of this rank: it needs this rank's word
// to end the one after.
type inlet struct {
	p      *Peer
	size   int
	budget int64
	share  int64
	pool   slab.Pool

	mu       sync.Mutex
	arriving [2]*mail
	bytes    int64   // in memory, in all mails that are not freed
	held     []int64 // by sender: bytes of its shared memory, in all mails
	lent     []int   // by sender: how many messages these are
	free     *mail   // for reuse
	spilled  int64   // in the superstep that ends next

	wanted []int64       // what close waits for
	want   *mail         // of which superstep; nil: nobody waits
	whole  chan struct{} // told when want is whole
	ended  chan struct{} // closed when nothing more is received
}

// maxLent bounds the messages in a sender's shared memory: the mesh has a
// limited number of places for them between two ranks.
const maxLent = 256

func newInlet(p *Peer, step, budget, share int64) *inlet {
	in := &inlet{p: p, size: p.Size(), budget: budget, share: share, whole: make(chan struct{}, 1), ended: make(chan struct{}),
		held: make([]int64, p.Size()), lent: make([]int, p.Size())}
	for i := range int64(2) {
		in.arriving[(step+i)%2] = newMail(step+i, in.size)
	}
	return in
}

// run receives until the peer ends.
func (in *inlet) run(ctx context.Context) {
	defer close(in.ended)
	for {
		msg, err := in.p.mesh.Recv(ctx, mesh.Any, tagData)
		if err == nil {
			err = in.deliver(msg.From, msg.Bytes(), msg)
		}
		if err != nil {
			if !in.p.leaving(err) {
				_ = in.p.fail(err)
			}
			return
		}
	}
}

// deliver takes a message; where msg is nil b is of the inlet's pool.
func (in *inlet) deliver(from int, b []byte, msg *mesh.Message) error {
	c, kind, step, err := parseHead(b)
	if err != nil {
		return fmt.Errorf("rank %d sent %w", from, err)
	}
	if c == classFailed {
		return &RankError{Rank: int(kind), Superstep: step, Text: string(b[headSize:])}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	m := in.arriving[step&1]
	if m.step != step {
		return fmt.Errorf("rank %d sent a message of superstep %d while rank %d awaits those of %d", from, step, in.p.Rank(), m.step)
	}
	l := letter{class: c, kind: kind, payload: b[headSize:], msg: msg, n: int64(len(b) - headSize)}
	if msg == nil {
		l.slab = b
	}
	if err := in.place(m, from, &l); err != nil {
		return err
	}
	m.columns[from] = append(m.columns[from], l)
	if in.want == m && in.complete() {
		in.want = nil
		in.whole <- struct{}{}
	}
	return nil
}

// restore adds a letter of a checkpoint.
func (in *inlet) restore(m *mail, from int, l letter) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.place(m, from, &l); err != nil {
		return err
	}
	m.columns[from] = append(m.columns[from], l)
	return nil
}

// place decides where a letter lies.
func (in *inlet) place(m *mail, from int, l *letter) error {
	lent := l.msg != nil && l.msg.Lent()
	// A pool's slice is longer than what lies in it.
	takes := int64(cap(l.payload))
	switch {
	case in.bytes+takes > in.budget:
		return in.toDisk(m, l)
	case lent && (in.held[from]+l.n > in.share || in.lent[from] >= maxLent):
		b := in.pool.Get(int(l.n))
		copy(b, l.payload)
		l.msg.Release()
		l.payload, l.msg, l.slab = b, nil, b
		takes = int64(cap(b))
	case lent:
		in.held[from] += l.n
		in.lent[from]++
		m.held[from] += l.n
		m.lent[from]++
	}
	in.bytes += takes
	m.bytes += takes
	return nil
}

func (in *inlet) toDisk(m *mail, l *letter) (err error) {
	if m.spill == nil {
		if m.spill, err = newSpill(in.p.c.Scratch); err != nil {
			return err
		}
	}
	if l.at, err = m.spill.add(l.payload); err != nil {
		return err
	}
	in.discard(l)
	l.payload, l.spilled = nil, true
	in.spilled += l.n
	return nil
}

// complete reports whether the mail that is wanted is whole. Under in.mu.
func (in *inlet) complete() bool {
	for from, n := range in.wanted {
		if int64(len(in.want.columns[from])) < n {
			return false
		}
	}
	return true
}

// close waits until of a superstep so many messages are here as counts says by
// sender, and returns them, and how many of their bytes went to disk.
func (in *inlet) close(ctx context.Context, step int64, counts []int64) (*mail, int64, error) {
	in.mu.Lock()
	m := in.arriving[step&1]
	in.want, in.wanted = m, counts
	if in.complete() {
		in.want = nil
	} else {
		in.mu.Unlock()
		select {
		case <-in.whole:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		in.mu.Lock()
	}
	defer in.mu.Unlock()
	for from, n := range counts {
		if int64(len(m.columns[from])) != n {
			return nil, 0, fmt.Errorf("rank %d sent %d messages in superstep %d and says %d", from, len(m.columns[from]), step, n)
		}
	}
	in.arriving[step&1] = in.reuse(step + 2)
	if err := m.open(); err != nil {
		return nil, 0, err
	}
	spilled := in.spilled
	in.spilled = 0
	return m, spilled, nil
}

func (in *inlet) reuse(step int64) *mail {
	m := in.free
	if m == nil {
		return newMail(step, in.size)
	}
	in.free = nil
	m.step, m.readers = step, 1
	return m
}

// retain keeps m until one more release.
func (in *inlet) retain(m *mail) {
	in.mu.Lock()
	defer in.mu.Unlock()
	m.readers++
}

// release lets m go, and frees it when nobody needs it any more.
func (in *inlet) release(m *mail) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if m.readers--; m.readers == 0 {
		in.drop(m)
		in.free = m
	}
}

func (in *inlet) drop(m *mail) {
	for from, column := range m.columns {
		for i := range column {
			in.discard(&column[i])
		}
		clear(column)
		m.columns[from] = column[:0]
		if cap(column) > 1<<16 {
			m.columns[from] = nil
		}
		in.held[from] -= m.held[from]
		in.lent[from] -= m.lent[from]
	}
	clear(m.held)
	clear(m.lent)
	in.bytes -= m.bytes
	m.bytes = 0
	if m.spill != nil {
		m.spill.close()
		m.spill = nil
	}
}

// discard gives a letter's memory back.
func (in *inlet) discard(l *letter) {
	if l.msg != nil {
		l.msg.Release()
	}
	if l.slab != nil {
		in.pool.Free(l.slab)
	}
	l.msg, l.slab = nil, nil
}

// end frees what arrived and nobody asked for.
func (in *inlet) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, m := range in.arriving {
		in.drop(m)
	}
}
