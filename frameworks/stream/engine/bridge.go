package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

const (
	// signals is the tag of all signals; the batches of link n have tag n+1.
	signals mesh.Tag = 0
	// signalSize is that of a signal: uint8 kind, uint32 link, uint64 a, uint64 b.
	signalSize = 21

	barrierSignal = 1 // a is the epoch, b behind how many batches
	takenSignal   = 2 // a is how many batches the reader has taken
)

// crossing sends and receives the batches of an edge; nil where there are no
// other ranks.
type crossing = *mesh.Records

// bridge is the links between this rank's tasks and those of other ranks.
type bridge struct {
	mesh     *mesh.Mesh // nil: there are no others
	leaving  map[int]*leaving
	entering map[int]*entering

	mu      sync.Mutex
	outbox  []signal
	pending chan struct{} // rung when outbox has something
}

// signal is one on its way to a rank.
type signal struct {
	to   int
	data [signalSize]byte
}

// leaving is the end of a link whose reader is elsewhere.
type leaving struct {
	link    *Link
	records crossing
	number  int
	to      int
	bell    chan struct{}

	mu    sync.Mutex
	sizes []int64 // of batches that were sent and not taken
	bytes int64   // their sum
	taken int64
}

// entering is the end of a link whose writer is elsewhere.
type entering struct {
	link    *Link
	records crossing
	number  int
	from    int
	told    int64 // how many batches the writer knows to have been taken
}

func (b *bridge) rank() int {
	if b.mesh == nil {
		return 0
	}
	return b.mesh.Rank()
}

// home is the rank that a task is on.
func (b *bridge) home(t topology.Task) int {
	if b.mesh == nil {
		return 0
	}
	return (t.ID - 1) % b.mesh.Size()
}

// over makes what batches of some fields travel by.
func (b *bridge) over(fields []topology.Field) (crossing, error) {
	if b.mesh == nil {
		return nil, nil
	}
	return mesh.NewRecords(b.mesh, topology.Schema(fields))
}

func (b *bridge) leave(over crossing, l *Link, number, to int) {
	if b.leaving == nil {
		b.leaving = map[int]*leaving{}
	}
	out := &leaving{link: l, records: over, number: number, to: to, bell: make(chan struct{}, 1)}
	l.wakeReader = out.ring
	l.mark = func(at barrier) { b.post(to, barrierSignal, number, at.epoch, at.behind) }
	b.leaving[number] = out
}

func (b *bridge) enter(over crossing, l *Link, number, from int) {
	if b.entering == nil {
		b.entering = map[int]*entering{}
	}
	in := &entering{link: l, records: over, number: number, from: from}
	l.took = func(taken int64, more bool) {
		// Not for each batch: a writer that waits for credit has others under way.
		if !more || taken-in.told >= 16 {
			in.told = taken
			b.post(from, takenSignal, number, taken, 0)
		}
	}
	b.entering[number] = in
}

// post leaves a signal for the goroutine that sends them.
func (b *bridge) post(to int, kind byte, number int, x, y int64) {
	s := signal{to: to}
	s.data[0] = kind
	binary.LittleEndian.PutUint32(s.data[1:], uint32(number))
	binary.LittleEndian.PutUint64(s.data[5:], uint64(x))
	binary.LittleEndian.PutUint64(s.data[13:], uint64(y))
	b.mu.Lock()
	b.outbox = append(b.outbox, s)
	b.mu.Unlock()
	select {
	case b.pending <- struct{}{}:
	default:
	}
}

// work hands try what the bridge has to do all the time.
func (b *bridge) work(try func(func(context.Context) error)) {
	if b.mesh == nil {
		return
	}
	try(b.sendSignals)
	try(b.hearSignals)
	for _, out := range b.leaving {
		try(out.send)
	}
	for _, in := range b.entering {
		try(in.receive)
	}
}

func (b *bridge) sendSignals(ctx context.Context) error {
	for {
		b.mu.Lock()
		list := b.outbox
		b.outbox = nil
		b.mu.Unlock()
		for _, s := range list {
			if err := b.mesh.Signal(ctx, s.to, signals, s.data[:]); err != nil {
				return err
			}
		}
		if len(list) > 0 {
			continue
		}
		select {
		case <-b.pending:
		case <-ctx.Done():
			return nil
		}
	}
}

func (b *bridge) hearSignals(ctx context.Context) error {
	if b.mesh.Size() == 1 {
		return nil
	}
	for {
		msg, err := b.mesh.RecvSignal(ctx, mesh.Any, signals)
		if err != nil {
			return err
		}
		err = b.hear(msg.From, msg.Bytes())
		msg.Release()
		if err != nil {
			return err
		}
	}
}

func (b *bridge) hear(from int, data []byte) error {
	if len(data) != signalSize {
		return fmt.Errorf("a signal of rank %d has %d bytes", from, len(data))
	}
	number := int(binary.LittleEndian.Uint32(data[1:]))
	x, y := int64(binary.LittleEndian.Uint64(data[5:])), int64(binary.LittleEndian.Uint64(data[13:]))
	out, in := b.leaving[number], b.entering[number]
	switch {
	case data[0] == barrierSignal && in != nil && in.from == from:
		in.link.hear(barrier{epoch: x, behind: y})
	case data[0] == takenSignal && out != nil && out.to == from:
		out.takenBy(x)
	default:
		return fmt.Errorf("a signal of rank %d is about link %d, which is not with it", from, number)
	}
	return nil
}

func (o *leaving) ring() {
	select {
	case o.bell <- struct{}{}:
	default:
	}
}

// takenBy takes note that the reader has taken so many batches in all.
func (o *leaving) takenBy(taken int64) {
	o.mu.Lock()
	for ; o.taken < taken && len(o.sizes) > 0; o.taken++ {
		o.bytes -= o.sizes[0]
		o.sizes = o.sizes[1:]
	}
	o.mu.Unlock()
	o.ring()
}

// send sends batches as the reader has room for them.
func (o *leaving) send(ctx context.Context) error {
	for ctx.Err() == nil {
		o.mu.Lock()
		room := o.bytes < o.link.credit
		o.mu.Unlock()
		if room {
			if rec := o.link.Take(); rec != nil {
				o.mu.Lock()
				o.sizes, o.bytes = append(o.sizes, sizeOf(rec)), o.bytes+sizeOf(rec)
				o.mu.Unlock()
				err := o.records.Send(ctx, o.to, mesh.Tag(o.number+1), rec)
				rec.Release()
				if err != nil {
					return err
				}
				continue
			}
		}
		select {
		case <-o.bell:
		case <-ctx.Done():
		}
	}
	return nil
}

// receive takes batches in at once: their writer had credit for them.
func (e *entering) receive(ctx context.Context) error {
	for {
		rec, _, err := e.records.Recv(ctx, e.from, mesh.Tag(e.number+1))
		if err != nil {
			return err
		}
		e.link.arrive(rec)
	}
}
