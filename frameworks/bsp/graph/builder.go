package graph

import (
	"math"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
)

// builder makes a CSR of edges that come in any order. How many each row gets
// is known.
//
//	add     every edge to the end of its group: neighbouring rows, which have
//	        as many edges as a core's cache holds
//	finish  a group at a time, to its rows
//
// So an edge is put to one of some hundred places that are all in the cache,
// rather than to one of a million that are not.
//
// Where the edges are longer than memory, they first go to files, one for each
// bucket of neighbouring rows; a bucket at a time is then put in order in memory
// and appended to the CSR's file.
type builder struct {
	offsets  []uint64
	index    *span.Span[uint64] // their memory
	limit    int                // targets are below
	weighted bool
	cores    int

	targets *span.Span[uint32]  // nil out of core
	weights *span.Span[float64] // nil without weights
	groups  []group
	// Until finish it says of every edge which row it is of, counted from its
	// group's first: rowBits of them lie behind the target, or, where targets are
	// too long for that or have weights, rows has them.
	rowBits uint
	rows    *span.Span[uint16]

	scratch string
	buckets []*bucket
	of      finder // of groups, or of buckets
}

// group is neighbouring rows whose edges are put in order together.
type group struct {
	next  uint64 // where the next edge goes
	first uint32 // row
	end   uint32
}

const (
	groupEdges   = 32 << 10
	leastRowBits = 8 // groups of fewer rows are too many
	mostRowBits  = 16
	rowBytes     = 2 // of an edge, for builder.rows
)

// plan is what a builder is to make.
type plan struct {
	degrees  []uint32 // lengths of the rows
	limit    int      // targets are below
	weighted bool
	memory   int64 // bytes for edges while they are put in order; what is more goes to files in scratch
	keep     int64 // bytes that rows may take afterwards; longer ones are in files
	scratch  string
	cores    int
}

// newBuilder begins a CSR.
func newBuilder(p plan) (*builder, error) {
	index, err := span.Make[uint64](len(p.degrees) + 1)
	if err != nil {
		return nil, err
	}
	b := &builder{offsets: index.Data, index: index, limit: p.limit, weighted: p.weighted, scratch: p.scratch, cores: max(p.cores, 1)}
	total := uint64(0)
	for v, d := range p.degrees {
		total += uint64(d)
		b.offsets[v+1] = total
	}
	if !p.weighted && 32-bitsBelow(p.limit) >= leastRowBits {
		b.rowBits = uint(min(32-bitsBelow(p.limit), mostRowBits))
	}
	width := b.width()
	if b.rowBits == 0 {
		width += rowBytes
	}
	if p.memory != math.MaxInt64 && (int64(total)*width > p.memory || int64(total)*b.width() > p.keep) {
		return b, b.openBuckets(total, p.memory)
	}
	if err = b.openGroups(int(total)); err != nil {
		b.close()
	}
	return b, err
}

func (b *builder) openGroups(total int) (err error) {
	rows := 1 << mostRowBits
	if b.rowBits > 0 {
		rows = 1 << b.rowBits
	}
	b.of = part(b.offsets, groupEdges, rows, func(r Range) {
		b.groups = append(b.groups, group{next: b.offsets[r.First], first: uint32(r.First), end: uint32(r.End)})
	})
	if b.targets, err = span.Make[uint32](total); err != nil || b.rowBits > 0 {
		return err
	}
	if b.rows, err = span.Make[uint16](total); err == nil && b.weighted {
		b.weights, err = span.Make[float64](total)
	}
	return err
}

// width is the bytes of an edge.
func (b *builder) width() int64 {
	if b.weighted {
		return 12
	}
	return 4
}

// add puts edges into their groups; weights is nil where there are none. It
// keeps no slice.
func (b *builder) add(rows, targets []uint32, weights []float64) error {
	if b.targets == nil {
		return b.addToBuckets(rows, targets, weights)
	}
	targets = targets[:len(rows)]
	if b.rowBits > 0 {
		b.addPacked(rows, targets)
		return nil
	}
	to, in, w, groups, of := b.targets.Data, b.rows.Data, b.weightData(), b.groups, &b.of
	for i, row := range rows {
		g := &groups[of.find(row)]
		at := g.next
		g.next = at + 1
		to[at], in[at] = targets[i], uint16(row-g.first)
		if w != nil {
			w[at] = weights[i]
		}
	}
	return nil
}

func (b *builder) addPacked(rows, targets []uint32) {
	to, groups, of, bits := b.targets.Data, b.groups, &b.of, b.rowBits&31
	for i, row := range rows {
		g := &groups[of.find(row)]
		at := g.next
		g.next = at + 1
		to[at] = targets[i]<<bits | (row - g.first)
	}
}

func (b *builder) weightData() []float64 {
	if b.weights == nil {
		return nil
	}
	return b.weights.Data
}

// finish returns the CSR and who owns its memory. The builder is used up. Every
// row is ascending, edges of the same target by weight: whatever order edges
// came in, the CSR is the same.
func (b *builder) finish() (*CSR, *region, error) {
	if b.targets == nil {
		return b.finishBuckets()
	}
	c := &CSR{Offsets: b.offsets, Targets: b.targets.Data, Weights: b.weightData()}
	sorters := make(chan *sorter, b.cores)
	for range b.cores {
		sorters <- newSorter(b.limit)
	}
	parallel(b.groups, b.cores, func(g group) {
		s := <-sorters
		first, end := c.Offsets[g.first], c.Offsets[g.end]
		offsets, targets := c.Offsets[g.first:g.end+1], c.Targets[first:end]
		if b.rowBits > 0 {
			s.packed(offsets, targets, b.rowBits)
		} else {
			s.sort(offsets, b.rows.Data[first:end], targets, c.weights(first, end))
		}
		sorters <- s
	})
	r := &region{}
	r.own(b.index, false)
	r.own(b.targets, b.targets.Mapped())
	if b.weights != nil {
		r.own(b.weights, b.weights.Mapped())
	}
	if b.rows == nil {
		return c, r, nil
	}
	return c, r, b.rows.Close()
}

// close drops a builder that is not finished.
func (b *builder) close() {
	b.closeBuckets()
	_ = b.index.Close()
	if b.targets != nil {
		_ = b.targets.Close()
	}
	if b.rows != nil {
		_ = b.rows.Close()
	}
	if b.weights != nil {
		_ = b.weights.Close()
	}
}

// region is memory or files behind a CSR.
type region struct {
	parts  []interface{ Close() error }
	mapped bool
}

func (r *region) own(c interface{ Close() error }, mapped bool) {
	r.parts = append(r.parts, c)
	r.mapped = r.mapped || mapped
}

func (r *region) close() error {
	var first error
	for _, c := range r.parts {
		if err := c.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
