package peer

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/core"
)

// SnapshotReader gives a program its state back. It is for the call of Load
// alone.
type SnapshotReader struct {
	ctx   context.Context // of Load, which has none
	c     Config
	fresh bool
}

// Memory is what Peer.Memory will be: what never changes may be longer.
func (r *SnapshotReader) Memory() int64 { return r.c.forProgram() }

// Limit is what Peer.Limit will be.
func (r *SnapshotReader) Limit(memory int64) int64 { return r.c.limitFor(memory) }

// Scratch is what Peer.Scratch will be.
func (r *SnapshotReader) Scratch() string { return r.c.Scratch }

// Open reads a section.
func (r *SnapshotReader) Open(section string) (io.ReadCloser, error) {
	return r.open(programPrefix + section)
}

func (r *SnapshotReader) open(section string) (io.ReadCloser, error) {
	step, ok := r.c.Resume.Sections[section]
	if !ok {
		return nil, core.Errorf(core.Failed, "the checkpoint of superstep %d has no section %q", r.c.Resume.Superstep, section).At("checkpoint")
	}
	return r.c.Checkpoints.Open(r.ctx, step, section)
}

// Has reports whether a section is there.
func (r *SnapshotReader) Has(section string) bool {
	_, ok := r.c.Resume.Sections[programPrefix+section]
	return ok
}

// Fresh reports whether this process has not run the program before, so that
// it has nothing yet of what never changes.
func (r *SnapshotReader) Fresh() bool { return r.fresh }

// resume brings peer and program where they were at the end of a superstep.
func (p *Peer) resume(from *Resume) error {
	keeper, ok := p.prog.(Keeper)
	if !ok || p.c.Checkpoints == nil {
		return core.Errorf(core.Internal, "the program has no checkpoints to go on from").At("bsp peer")
	}
	r := &SnapshotReader{ctx: p.ctx, c: p.c, fresh: from.Fresh}
	if err := p.resumeState(r); err != nil {
		return fmt.Errorf("resume superstep %d: %w", from.Superstep, err)
	}
	if err := p.resumeMail(r); err != nil {
		return fmt.Errorf("resume messages of superstep %d: %w", from.Superstep, err)
	}
	if err := keeper.Load(r); err != nil {
		return fmt.Errorf("load the program's state of superstep %d: %w", from.Superstep, err)
	}
	return nil
}

// saved is the peer's own state but for the mail:
//
//	piece  the superstep, 8 bytes, then 1 where all voted to halt
//	piece  the aggregators' results, in pairs
//	piece  the counters, in pairs
//	piece  the state of the output
func (p *Peer) saved() ([]byte, error) {
	at := binary.LittleEndian.AppendUint64(nil, uint64(p.step))
	if p.halted {
		at = append(at, 1)
	}
	var counters []byte
	for _, name := range sortedKeys(p.counters) {
		n := binary.LittleEndian.AppendUint64(nil, uint64(p.counters[name]))
		counters = appendPiece(appendPiece(counters, name), n)
	}
	var output []byte
	if p.c.Output != nil {
		var err error
		if output, err = p.c.Output.Seal(); err != nil {
			return nil, fmt.Errorf("seal the output: %w", err)
		}
	}
	b := appendPiece(nil, at)
	b = appendPiece(b, p.aggregates.saved(nil))
	b = appendPiece(b, counters)
	return appendPiece(b, output), nil
}

func (p *Peer) resumeState(r *SnapshotReader) error {
	f, err := r.open(sectionState)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	var pieces [4][]byte
	for i := range pieces {
		if pieces[i], b, err = piece(b); err != nil {
			return err
		}
	}
	if len(pieces[0]) < 8 || int64(binary.LittleEndian.Uint64(pieces[0])) != p.step {
		return errPiece
	}
	p.halted = len(pieces[0]) > 8
	if err := p.aggregates.set(pieces[1]); err != nil {
		return err
	}
	err = pairs(pieces[2], func(name string, n []byte) error {
		if len(n) != 8 {
			return errPiece
		}
		p.counters[name] = int64(binary.LittleEndian.Uint64(n))
		return nil
	})
	if err != nil || p.c.Output == nil {
		return err
	}
	return p.c.Output.Rewind(pieces[3])
}

// letterHead precedes each letter of a mail in a checkpoint:
//
//	0  uint32  sender
//	4  uint32  kind
//	8  uint64  bytes that follow
//	16 uint8   class
const letterHead = 17

func (m *mail) writeTo(out io.Writer) error {
	w := bufio.NewWriterSize(out, 256<<10)
	for from, column := range m.columns {
		for i := range column {
			l := &column[i]
			var h [letterHead]byte
			binary.LittleEndian.PutUint32(h[0:], uint32(from))
			binary.LittleEndian.PutUint32(h[4:], l.kind)
			binary.LittleEndian.PutUint64(h[8:], uint64(len(l.payload)))
			h[16] = byte(l.class)
			if _, err := w.Write(h[:]); err != nil {
				return err
			}
			if _, err := w.Write(l.payload); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

// resumeMail brings the messages back; there are none where the program said
// that it needs none.
func (p *Peer) resumeMail(r *SnapshotReader) error {
	if _, ok := r.c.Resume.Sections[sectionMessages]; !ok {
		p.mail = newMail(p.step-1, p.Size())
		return nil
	}
	f, err := r.open(sectionMessages)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 256<<10)
	m := newMail(p.step-1, p.Size())
	for {
		var h [letterHead]byte
		if _, err := io.ReadFull(in, h[:]); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		from, n := binary.LittleEndian.Uint32(h[0:]), binary.LittleEndian.Uint64(h[8:])
		if int(from) >= p.Size() {
			return errPiece
		}
		b := p.in.pool.Get(int(n))
		if _, err := io.ReadFull(in, b); err != nil {
			return err
		}
		if err := p.in.restore(m, int(from), letter{class: class(h[16]), kind: binary.LittleEndian.Uint32(h[4:]), payload: b, slab: b, n: int64(n)}); err != nil {
			return err
		}
	}
	p.mail = m
	return m.open()
}
