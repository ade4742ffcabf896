package graph

import (
	"slices"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
)

// builder makes a CSR of edges that come in any order. How many each row gets
// is known, so that every edge is put where it belongs at once.
//
// Where the edges are longer than memory, they first go to files, one for each
// bucket of neighbouring rows; a bucket at a time is then put in order in memory
// and appended to the CSR's file.
type builder struct {
	// offsets[v+1] is where v's next edge goes, so that at the end it is where
	// v's row ends.
	offsets  []uint64
	index    *span.Span[uint64] // their memory
	weighted bool
	cores    int

	targets *span.Span[uint32]  // nil out of core
	weights *span.Span[float64] // nil without weights

	scratch string
	buckets []*bucket
	of      []uint32 // bucket by row >> ofShift; a bucket begins at a multiple
	ofShift uint
}

// newBuilder begins a CSR of rows of these lengths. It takes at most memory
// bytes for edges, or goes to files in scratch.
func newBuilder(degrees []uint32, weighted bool, memory int64, scratch string, cores int) (*builder, error) {
	index, err := span.Make[uint64](len(degrees) + 1)
	if err != nil {
		return nil, err
	}
	b := &builder{offsets: index.Data, index: index, weighted: weighted, scratch: scratch, cores: max(cores, 1)}
	total := uint64(0)
	for v, d := range degrees {
		b.offsets[v+1] = total
		total += uint64(d)
	}
	if int64(total)*b.width() > memory {
		return b, b.openBuckets(total, memory)
	}
	if b.targets, err = span.Make[uint32](int(total)); err == nil && weighted {
		b.weights, err = span.Make[float64](int(total))
	}
	if err != nil {
		b.close()
	}
	return b, err
}

// width is the bytes of an edge.
func (b *builder) width() int64 {
	if b.weighted {
		return 12
	}
	return 4
}

// add puts edges into their rows; weights is nil where there are none. It
// keeps no slice.
func (b *builder) add(rows, targets []uint32, weights []float64) error {
	if b.targets == nil {
		return b.addToBuckets(rows, targets, weights)
	}
	place(b.offsets, b.targets.Data, b.weightData(), rows, targets, weights)
	return nil
}

func (b *builder) weightData() []float64 {
	if b.weights == nil {
		return nil
	}
	return b.weights.Data
}

// place puts edges where next[row+1] says, and moves that on.
func place(next []uint64, targets []uint32, weights []float64, rows, to []uint32, w []float64) {
	to = to[:len(rows)]
	if weights == nil {
		for i, row := range rows {
			at := next[row+1]
			next[row+1] = at + 1
			targets[at] = to[i]
		}
		return
	}
	w = w[:len(rows)]
	for i, row := range rows {
		at := next[row+1]
		next[row+1] = at + 1
		targets[at], weights[at] = to[i], w[i]
	}
}

// finish returns the CSR and who owns its memory. The builder is used up.
func (b *builder) finish() (*CSR, *region, error) {
	if b.targets == nil {
		return b.finishBuckets()
	}
	c := &CSR{Offsets: b.offsets, Targets: b.targets.Data, Weights: b.weightData()}
	sortRows(c, b.cores)
	r := &region{}
	r.own(b.index, false)
	r.own(b.targets, b.targets.Mapped())
	if b.weights != nil {
		r.own(b.weights, b.weights.Mapped())
	}
	return c, r, nil
}

// close drops a builder that is not finished.
func (b *builder) close() {
	b.closeBuckets()
	_ = b.index.Close()
	if b.targets != nil {
		_ = b.targets.Close()
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

// sortRows puts every row in ascending order, edges of the same target by
// weight: whatever order edges came in, the CSR is the same.
func sortRows(c *CSR, cores int) {
	parallel(c.Cuts(cores*4), cores, func(r Range) {
		s := newSorter()
		for v := r.First; v < r.End; v++ {
			if c.Weights == nil {
				s.sort(c.Row(v))
			} else {
				s.sortWeighted(c.Row(v), c.RowWeights(v))
			}
		}
	})
}

// sorter sorts rows; it keeps its memory from one to the next.
type sorter struct {
	spare []uint32
	pairs []weightedEdge
}

type weightedEdge struct {
	target uint32
	weight float64
}

func newSorter() *sorter { return &sorter{} }

func (s *sorter) sort(row []uint32) {
	switch n := len(row); {
	case n <= 24:
		insertion(row)
	case n < 256:
		slices.Sort(row)
	default:
		s.radix(row)
	}
}

func insertion(row []uint32) {
	for i := 1; i < len(row); i++ {
		x := row[i]
		j := i
		for j > 0 && row[j-1] > x {
			row[j] = row[j-1]
			j--
		}
		row[j] = x
	}
}

// radix sorts by three digits of 11 bits, of which those are left out that all
// share.
func (s *sorter) radix(row []uint32) {
	if len(s.spare) < len(row) {
		s.spare = make([]uint32, len(row)+len(row)/2)
	}
	from, to := row, s.spare[:len(row)]
	for shift := uint(0); shift < 32; shift += 11 {
		var at [1 << 11]uint32
		for _, x := range from {
			at[x>>shift&0x7ff]++
		}
		if at[from[0]>>shift&0x7ff] == uint32(len(from)) {
			continue
		}
		sum := uint32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, x := range from {
			d := x >> shift & 0x7ff
			to[at[d]] = x
			at[d]++
		}
		from, to = to, from
	}
	if &from[0] != &row[0] {
		copy(row, from)
	}
}

func (s *sorter) sortWeighted(row []uint32, weights []float64) {
	s.pairs = s.pairs[:0]
	for i, t := range row {
		s.pairs = append(s.pairs, weightedEdge{t, weights[i]})
	}
	slices.SortFunc(s.pairs, func(a, b weightedEdge) int {
		if a.target != b.target {
			if a.target < b.target {
				return -1
			}
			return 1
		}
		switch {
		case a.weight < b.weight:
			return -1
		case a.weight > b.weight:
			return 1
		}
		return 0
	})
	for i, p := range s.pairs {
		row[i], weights[i] = p.target, p.weight
	}
}
