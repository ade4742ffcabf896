package graph

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
)

// stored is what a partition's file begins with: its length in 8 bytes, and
// JSON. The arrays follow, in the order in which Save writes them.
type stored struct {
	Version            int
	Rank, Size         int
	Bounds, Cut        []uint32
	Directed, Weighted bool
	Entries            int64
	Ints, Text         bool // of IDs
	TextBytes          int
	In, Out            bool
	Rows               []storedRows // Out, In, CutOut, CutIn as far as they are there and differ
}

type storedRows struct {
	Edges   int
	Weights bool
}

// Save writes the partition, for Restore in a process that has lost it.
func (p *Partition) Save(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<20)
	head, err := json.Marshal(p.head())
	if err != nil {
		return err
	}
	parts := [][]byte{binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head, span.Bytes(p.OutDegree)}
	if p.Directed {
		parts = append(parts, span.Bytes(p.InDegree))
	}
	d := &p.IDs
	parts = append(parts, span.Bytes(d.place), span.Bytes(d.ints), d.text, span.Bytes(d.ends))
	for _, c := range p.csrs() {
		parts = append(parts, span.Bytes(c.Offsets), span.Bytes(c.Targets), span.Bytes(c.Weights))
	}
	for _, b := range parts {
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (p *Partition) head() stored {
	h := stored{Version: 1, Rank: p.Rank, Size: p.Size, Bounds: p.Bounds, Cut: p.Cut, Directed: p.Directed, Weighted: p.Weighted,
		Entries: p.Entries, Ints: p.IDs.ints != nil, Text: p.IDs.ends != nil, TextBytes: len(p.IDs.text),
		In: p.In != nil, Out: p.Out != nil}
	for _, c := range p.csrs() {
		h.Rows = append(h.Rows, storedRows{Edges: c.Edges(), Weights: c.Weights != nil})
	}
	return h
}

// csrs is the CSRs there are, each once, in the order of the file.
func (p *Partition) csrs() []*CSR {
	var all []*CSR
	add := func(out, in *CSR) {
		if out != nil {
			all = append(all, out)
		}
		if in != nil && in != out {
			all = append(all, in)
		}
	}
	add(p.Out, p.In)
	add(p.CutOut, p.CutIn)
	return all
}

// Restore reads what Save wrote, with the memory that Load would do with (law
// G5): need is what was told Load. It is refused as Load is.
func Restore(r io.Reader, need Need, host Host) (*Partition, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	h, err := readHead(in)
	if err != nil {
		return nil, err
	}
	p := &Partition{Rank: h.Rank, Size: h.Size, Bounds: h.Bounds, Cut: h.Cut, Directed: h.Directed, Weighted: h.Weighted, Entries: h.Entries}
	if err := p.restore(in, h, need.Room, host); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func readHead(in io.Reader) (stored, error) {
	var h stored
	var length [8]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return h, err
	}
	doc := make([]byte, min(binary.LittleEndian.Uint64(length[:]), 1<<30))
	if _, err := io.ReadFull(in, doc); err != nil {
		return h, err
	}
	if err := json.Unmarshal(doc, &h); err != nil {
		return h, err
	}
	if h.Version != 1 || len(h.Bounds) != h.Size+1 || h.Rank < 0 || h.Rank >= h.Size {
		return h, core.Errorf(core.Internal, "a stored graph of version %d, rank %d of %d", h.Version, h.Rank, h.Size).At("graph")
	}
	return h, nil
}

func (p *Partition) restore(in io.Reader, h stored, room Room, host Host) error {
	n := p.N()
	if err := p.account.open(host, p, room, h.directions(), h.name(n)); err != nil {
		return err
	}
	p.OutDegree = make([]uint32, n)
	p.InDegree = p.OutDegree
	if err := span.ReadFull(in, p.OutDegree); err != nil {
		return err
	}
	if p.Directed {
		p.InDegree = make([]uint32, n)
		if err := span.ReadFull(in, p.InDegree); err != nil {
			return err
		}
	}
	if err := p.IDs.restore(in, h, n); err != nil {
		return err
	}
	entries := int64(0)
	for _, r := range h.Rows[:min(h.directions(), len(h.Rows))] {
		entries += int64(r.Edges)
	}
	memory := p.account.forRows(room, entries) / int64(max(h.directions(), 1))
	rows := h.Rows
	next := func(vertices int) (*CSR, error) {
		c, r, err := restoreCSR(in, vertices, rows[0], memory, host.Scratch())
		rows = rows[1:]
		if r != nil {
			p.regions = append(p.regions, r)
		}
		return c, err
	}
	both := func(vertices int) (out, in *CSR, err error) {
		if h.Out {
			out, err = next(vertices)
		}
		switch {
		case !p.Directed:
			in = out
		case h.In && err == nil:
			in, err = next(vertices)
		}
		return out, in, err
	}
	var err error
	if p.Out, p.In, err = both(n); err == nil && len(rows) > 0 {
		p.CutOut, p.CutIn, err = both(len(p.Cut))
	}
	p.account.hold(p)
	return err
}

// directions is how many CSRs of whole rows there are.
func (h stored) directions() (n int) {
	if h.Out {
		n++
	}
	if h.In && (h.Directed || !h.Out) {
		n++
	}
	return n
}

// name is the bytes of an id's name in the mean; 0 where places are ids.
func (h stored) name(n int) int64 {
	switch {
	case h.Ints:
		return 8
	case h.Text:
		return 16 + int64(h.TextBytes/max(n, 1))
	}
	return 0
}

func (d *IDs) restore(in io.Reader, h stored, n int) error {
	d.place = make([]uint32, n)
	if h.Ints {
		d.ints = make([]int64, n)
	}
	if h.Text {
		d.text, d.ends = make([]byte, h.TextBytes), make([]uint64, n)
	}
	for _, b := range [][]byte{span.Bytes(d.place), span.Bytes(d.ints), d.text, span.Bytes(d.ends)} {
		if _, err := io.ReadFull(in, b); err != nil {
			return err
		}
	}
	return nil
}

func restoreCSR(in io.Reader, vertices int, h storedRows, memory int64, scratch string) (*CSR, *region, error) {
	c, r := &CSR{Offsets: make([]uint64, vertices+1)}, &region{}
	if err := span.ReadFull(in, c.Offsets); err != nil {
		return nil, nil, err
	}
	width := int64(4)
	if h.Weights {
		width = 12
	}
	onDisk := int64(h.Edges)*width > memory
	targets, err := restoreSpan[uint32](in, h.Edges, onDisk, scratch)
	if err != nil {
		return nil, nil, err
	}
	c.Targets = targets.Data
	r.own(targets, targets.Mapped())
	if !h.Weights {
		return c, r, nil
	}
	weights, err := restoreSpan[float64](in, h.Edges, onDisk, scratch)
	if err != nil {
		return nil, r, err
	}
	c.Weights = weights.Data
	r.own(weights, weights.Mapped())
	return c, r, nil
}

func restoreSpan[T span.Number](in io.Reader, n int, onDisk bool, scratch string) (*span.Span[T], error) {
	if !onDisk {
		s, err := span.Make[T](n)
		if err == nil {
			err = span.ReadFull(in, s.Data)
		}
		return s, err
	}
	w, err := span.NewWriter[T](scratch)
	if err != nil {
		return nil, err
	}
	part := make([]T, 64<<10)
	for n > 0 {
		some := part[:min(n, len(part))]
		if err = span.ReadFull(in, some); err == nil {
			err = w.Write(some)
		}
		if err != nil {
			_ = w.Close()
			return nil, err
		}
		n -= len(some)
	}
	return w.Span()
}
