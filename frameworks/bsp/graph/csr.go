package graph

// CSR is edges by vertex: the neighbours of local vertex v are
// Targets[Offsets[v]:Offsets[v+1]], dense ids of the whole graph, ascending.
// Equal ones, and v itself, stand there as often as the input says.
//
// Its arrays are read-only and may lie in a mapped file. They are valid until
// the partition's Close.
type CSR struct {
	Offsets []uint64
	Targets []uint32
	Weights []float64 // by edge, or nil
}

// Vertices is how many vertices the rows are of.
func (c *CSR) Vertices() int { return len(c.Offsets) - 1 }

// Edges is how many edges the rows hold together.
func (c *CSR) Edges() int { return len(c.Targets) }

// Row is the neighbours of local vertex v.
func (c *CSR) Row(v int) []uint32 { return c.Targets[c.Offsets[v]:c.Offsets[v+1]] }

// RowWeights is the weights of v's edges, in the order of Row.
func (c *CSR) RowWeights(v int) []float64 { return c.Weights[c.Offsets[v]:c.Offsets[v+1]] }

// weights is those of a run of edges, or nil.
func (c *CSR) weights(first, end uint64) []float64 {
	if c.Weights == nil {
		return nil
	}
	return c.Weights[first:end]
}

// Degree is how many edges v has.
func (c *CSR) Degree(v int) int { return int(c.Offsets[v+1] - c.Offsets[v]) }

// Range is the rows First <= v < End.
type Range struct{ First, End int }

// Len is how many rows r has.
func (r Range) Len() int { return r.End - r.First }

// Cuts parts the rows into at most n ranges of about equal work, a row being
// as much as two edges. Rows are never cut, and no range is empty.
func (c *CSR) Cuts(n int) []Range {
	const row = 2
	rows := c.Vertices()
	cost := func(v int) uint64 { return c.Offsets[v] + row*uint64(v) }
	var cuts []Range
	for at, i := 0, 1; at < rows; i++ {
		end := rows
		if i < n {
			end = max(at+1, firstAtLeast(at, rows, cost, cost(rows)*uint64(i)/uint64(n)))
		}
		cuts = append(cuts, Range{at, end})
		at = end
	}
	return cuts
}

// firstAtLeast is the least v of low <= v <= high with f(v) >= x, or high. f
// does not fall.
func firstAtLeast(low, high int, f func(int) uint64, x uint64) int {
	for low < high {
		mid := int(uint(low+high) / 2)
		if f(mid) < x {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
