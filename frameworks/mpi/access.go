package mpi

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// window is what of a Window knows bytes: a goroutine that carries out what other
// ranks, and this one, ask of this rank's memory.
type window struct {
	c      *Comm // its own
	memory []byte
	size   int // of an element
	ops    []func(into, from []byte)
	done   chan struct{} // closed when nobody serves any more

	asked atomic.Uint32 // numbers what is to be answered

	holders []int // who has the memory locked
	sole    bool  // and alone
	queue   []asking
	faults  map[int]error // of what ranks told, for their next flush
}

// asking is a rank that waits for an answer.
type asking struct {
	rank   int
	number uint32
	op     accessOp
}

type accessOp uint8

const (
	accessAccumulate accessOp = iota
	accessGet
	accessFetch
	accessSwap
	accessFlush
	accessLock
	accessLockShared
	accessUnlock
	accessEnd
)

// access is what is asked of a rank's memory. On the way it is 24 bytes,
// little-endian, and then the data:
//
//	0  uint8   op
//	1  uint8   how to combine
//	2  uint16  zero
//	4  uint32  number of the answer
//	8  uint64  first element
//	16 uint64  elements
type access struct {
	op     accessOp
	how    Arithmetic
	number uint32
	at, n  int
}

const accessSize = 24

func (a access) bytes() []byte {
	b := []byte{byte(a.op), byte(a.how), 0, 0}
	b = binary.LittleEndian.AppendUint32(b, a.number)
	b = binary.LittleEndian.AppendUint64(b, uint64(a.at))
	return binary.LittleEndian.AppendUint64(b, uint64(a.n))
}

func readAccess(b []byte) (access, []byte, error) {
	if len(b) < accessSize || b[0] > byte(accessEnd) {
		return access{}, nil, fmt.Errorf("an access that makes no sense: % x", b[:min(len(b), accessSize)])
	}
	a := access{op: accessOp(b[0]), how: Arithmetic(b[1]), number: binary.LittleEndian.Uint32(b[4:]),
		at: int(binary.LittleEndian.Uint64(b[8:])), n: int(binary.LittleEndian.Uint64(b[16:]))}
	return a, b[accessSize:], nil
}

// The tags of the control lane: what is asked, and from answerTag on answers.
const (
	askTag    = 0
	answerTag = 1
)

func (w *window) answerTag(number uint32) mesh.Tag {
	return meshTag(w.c.context, laneControl, answerTag+int(number%(MaxTag-answerTag)))
}

// tell sends what has no answer.
func (w *window) tell(ctx context.Context, target int, a access, data []byte) error {
	if target == Null {
		return nil
	}
	if target < 0 || target >= w.c.size {
		return w.c.fault(opWindow.String(), w.c.refuse(target, 0, kindBytes))
	}
	if err := w.c.w.mesh.Send(ctx, w.c.worldRank(target), meshTag(w.c.context, laneControl, askTag), a.bytes(), data); err != nil {
		return w.failed(target, err)
	}
	return nil
}

// ask sends what has an answer, which must fill into.
func (w *window) ask(ctx context.Context, target int, a access, data, into []byte) error {
	if target == Null {
		return nil
	}
	if target < 0 || target >= w.c.size {
		return w.c.fault(opWindow.String(), w.c.refuse(target, 0, kindBytes))
	}
	a.number = w.asked.Add(1)
	m := w.c.w.mesh
	p, err := m.Post(w.c.worldRank(target), w.answerTag(a.number), mesh.WholeTag)
	if err == nil {
		err = w.tell(ctx, target, a, data)
	}
	if err != nil {
		return err
	}
	if _, err := m.Await(ctx, p); err != nil {
		p.Cancel()
		return w.failed(target, err)
	}
	answer, err := p.Take()
	if err != nil {
		return w.failed(target, err)
	}
	defer answer.Release()
	return w.accept(target, answer.Bytes(), into)
}

func (w *window) failed(target int, err error) error {
	return w.c.fault(fmt.Sprint("access the memory of rank ", target), err)
}

// An answer begins with a byte that is 1 where the rest is an error's text.
func (w *window) accept(target int, answer, into []byte) error {
	if len(answer) == 0 || answer[0] == 1 {
		return w.failed(target, core.Errorf(core.Invalid, "%s", answer[min(1, len(answer)):]))
	}
	if len(answer)-1 != len(into) {
		return w.failed(target, core.Errorf(core.Internal, "an answer of %d bytes where %d were due", len(answer)-1, len(into)))
	}
	copy(into, answer[1:])
	return nil
}

// serve carries out what is asked, in order, until the window ends or the mesh is
// closed.
func (w *window) serve() {
	defer close(w.done)
	ctx := context.Background()
	for {
		m, err := w.c.w.mesh.RecvSpared(ctx, meshTag(w.c.context, laneControl, askTag))
		if err != nil {
			return
		}
		from := w.c.rankOf(m.From)
		a, data, err := readAccess(m.Bytes())
		if err == nil && a.op == accessEnd {
			m.Release()
			return
		}
		var answer []byte
		if err == nil {
			answer, err = w.carryOut(ctx, from, a, data)
		}
		m.Release()
		w.reply(ctx, from, a, answer, err)
	}
}

// fault is what went wrong with what a rank told since it was told last.
func (w *window) fault(rank int) error {
	err := w.faults[rank]
	delete(w.faults, rank)
	return err
}

// reply answers what has an answer.
func (w *window) reply(ctx context.Context, to int, a access, answer []byte, err error) {
	if a.op == accessAccumulate {
		if err != nil && w.faults[to] == nil {
			w.faults[to] = err
		}
		return
	}
	if answer == nil && err == nil {
		return
	}
	kind := []byte{0}
	if err != nil {
		kind, answer = []byte{1}, []byte(err.Error())
	}
	// A rank that is gone needs none.
	_ = w.c.w.mesh.Send(ctx, w.c.worldRank(to), w.answerTag(a.number), kind, answer)
}

// carryOut returns the answer; nil: none, or not yet.
func (w *window) carryOut(ctx context.Context, from int, a access, data []byte) ([]byte, error) {
	switch a.op {
	case accessFlush:
		return []byte{}, w.fault(from)
	case accessLock, accessLockShared:
		w.queue = append(w.queue, asking{from, a.number, a.op})
		w.grant(ctx)
		return nil, nil
	case accessUnlock:
		i := slices.Index(w.holders, from)
		if i < 0 {
			return nil, core.Errorf(core.Invalid, "rank %d has not locked it", from)
		}
		w.holders = slices.Delete(w.holders, i, i+1)
		w.grant(ctx)
		return []byte{}, w.fault(from)
	}
	part, err := w.part(a)
	if err != nil {
		return nil, err
	}
	return w.change(a, part, data)
}

// grant lets in who waits for a lock, the first first.
func (w *window) grant(ctx context.Context) {
	for len(w.queue) > 0 {
		next := w.queue[0]
		shared := next.op == accessLockShared
		if len(w.holders) > 0 && (w.sole || !shared) {
			return
		}
		w.holders, w.sole, w.queue = append(w.holders, next.rank), !shared, w.queue[1:]
		w.reply(ctx, next.rank, access{op: next.op, number: next.number}, []byte{}, nil)
	}
}

// part is the memory that an access is to.
func (w *window) part(a access) ([]byte, error) {
	have := len(w.memory) / w.size
	if a.at < 0 || a.n < 0 || a.at > have || a.n > have-a.at {
		return nil, core.Errorf(core.Invalid, "elements %d to %d of a window of %d", a.at, a.at+a.n-1, have)
	}
	return w.memory[a.at*w.size : (a.at+a.n)*w.size], nil
}

func (w *window) change(a access, part, data []byte) ([]byte, error) {
	switch {
	case a.op == accessGet:
		return append([]byte{}, part...), nil
	case a.op == accessSwap && len(data) == 2*w.size:
		was := append([]byte{}, part...)
		if string(part) == string(data[:w.size]) {
			copy(part, data[w.size:])
		}
		return was, nil
	case int(a.how) >= len(w.ops) || len(data) != len(part):
		return nil, core.Errorf(core.Invalid, "%d bytes for %d, combined by %d of %d operators", len(data), len(part), a.how, len(w.ops))
	}
	var was []byte
	if a.op == accessFetch {
		was = append([]byte{}, part...)
	}
	if len(part) > 0 {
		w.ops[a.how](part, data)
	}
	return was, nil
}
