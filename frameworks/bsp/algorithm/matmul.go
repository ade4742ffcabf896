package algorithm

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// productOptions are the options of matmul.
type productOptions struct {
	Matrix string `json:"matrix" about:"the column that says which matrix a row is of, A or B; of text, the first field"`
	Row    string `json:"row" about:"the column of the row's number, from 0; of text, the second field"`
	Column string `json:"column" about:"the column of the number of the row's first entry, from 0; of text, the third field if this is set; default: all rows begin at 0"`
}

func (o *productOptions) check(f *faults) {
	for name, v := range map[string]string{"matrix": o.Matrix, "row": o.Row} {
		if v == "" {
			f.add(name, "name a column", "%s is empty", name)
		}
	}
}

func products() []Algorithm {
	a := define("matmul",
		"the product of two dense matrices, by blocks",
		productOptions{Matrix: "matrix", Row: "row"},
		func(_ graph.Config, o productOptions) peer.Program { return &product{options: o} })
	a.records = true
	return []Algorithm{a}
}

// product multiplies dense matrices C = A B as SUMMA does (van de Geijn and Watts,
// "SUMMA: scalable universal matrix multiplication algorithm", 1997). The ranks
// are a grid, as square as their number lets it be; each has a block of A, of B
// and of C. For a panel, some columns of A and the same rows of B, those who have
// it send it along their row, or column, of the grid, and each adds the product
// of what it got to its block of C. A panel travels while the one before is
// multiplied.
//
// The input is rows, or parts of rows: which matrix, the number of the row,
// perhaps that of the first entry, and the entries. Entries that nobody names are
// 0; those named twice add up.
type product struct {
	options productOptions

	shape shape
	grid  grid
	a, b  []float64 // blocks, row by row
	productState
}

// productState is what a checkpoint keeps, besides the blocks.
type productState struct {
	panel int64 // the first that is not yet multiplied
	c     []float64
}

// shape is that of the matrices: A is rows x inner, B is inner x columns.
type shape struct{ rows, inner, columns int }

// grid is the ranks as rows x columns of blocks, and where this rank stands.
type grid struct{ rows, columns, row, column int }

func gridOf(rank, size int) grid {
	rows := int(math.Sqrt(float64(size)))
	for size%rows != 0 {
		rows--
	}
	columns := size / rows
	return grid{rows, columns, rank / columns, rank % columns}
}

func (g grid) rank(row, column int) int { return row*g.columns + column }

// part is piece i of n things cut into so many pieces.
func part(n, pieces, i int) graph.Range {
	return graph.Range{First: n * i / pieces, End: n * (i + 1) / pieces}
}

// pieceOf is the piece that thing at is in.
func pieceOf(n, pieces, at int) int {
	i := at * pieces / n
	for ; part(n, pieces, i).End <= at; i++ {
	}
	return i
}

// Kinds of blocks that a product sends. The block of an A or B begins with the
// row's number and that of its first entry, and its entries follow; a panel's
// is its numbers alone.
const (
	blockRowA uint32 = 0x4101 + iota
	blockRowB
	blockPanelA
	blockPanelB
)

// widestPanel bounds a panel: beyond it nothing is gained.
const widestPanel = 256

// Run writes a line (row and column, entries) for each row of each block of C:
// the entries from that column on, with blanks between them.
func (m *product) Run(ctx context.Context, p *peer.Peer) error {
	p.HoldCheckpoints(true)
	m.grid = gridOf(p.Rank(), p.Size())
	if p.Superstep() == 0 {
		if err := m.read(ctx, p); err != nil {
			return err
		}
	}
	p.HoldCheckpoints(false)
	if err := m.multiply(ctx, p); err != nil {
		return err
	}
	return m.write(p)
}

// own are the rows, inner numbers of A and of B, and columns of this rank's blocks.
func (m *product) own() (rows, innerA, innerB, columns graph.Range) {
	return part(m.shape.rows, m.grid.rows, m.grid.row), part(m.shape.inner, m.grid.columns, m.grid.column),
		part(m.shape.inner, m.grid.rows, m.grid.row), part(m.shape.columns, m.grid.columns, m.grid.column)
}

// multiply adds up the products of the panels. It takes a Sync for each, and one
// more.
func (m *product) multiply(ctx context.Context, p *peer.Peer) error {
	panels := m.panels()
	if int(m.panel) >= len(panels) {
		return nil
	}
	if err := m.sendPanel(p, panels[m.panel]); err != nil {
		return err
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	rows, _, _, columns := m.own()
	for int(m.panel) < len(panels) {
		var a, b []float64
		for block := range p.Blocks() {
			switch block.Kind {
			case blockPanelA:
				a = columnOf[float64](block.Data)
			case blockPanelB:
				b = columnOf[float64](block.Data)
			}
		}
		if next := int(m.panel) + 1; next < len(panels) {
			if err := m.sendPanel(p, panels[next]); err != nil {
				return err
			}
		}
		addProduct(p.Cores(), m.c, a, b, rows.Len(), panels[m.panel].Len(), columns.Len())
		m.panel++
		if err := p.Sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// panels are ranges of inner numbers, each in one block of A and one of B.
func (m *product) panels() []graph.Range {
	borders := []int{0, m.shape.inner}
	for i := range m.grid.rows {
		borders = append(borders, part(m.shape.inner, m.grid.rows, i).First)
	}
	for i := range m.grid.columns {
		borders = append(borders, part(m.shape.inner, m.grid.columns, i).First)
	}
	slices.Sort(borders)
	var panels []graph.Range
	for i := 1; i < len(borders); i++ {
		for at := borders[i-1]; at < borders[i]; at += widestPanel {
			panels = append(panels, graph.Range{First: at, End: min(at+widestPanel, borders[i])})
		}
	}
	return panels
}

// sendPanel sends what this rank has of a panel.
func (m *product) sendPanel(p *peer.Peer, panel graph.Range) error {
	rows, innerA, innerB, columns := m.own()
	if innerA.First <= panel.First && panel.First < innerA.End {
		numbers := make([]float64, 0, rows.Len()*panel.Len())
		for i := range rows.Len() {
			row := m.a[i*innerA.Len():]
			numbers = append(numbers, row[panel.First-innerA.First:panel.End-innerA.First]...)
		}
		for column := range m.grid.columns {
			if err := p.SendBlock(m.grid.rank(m.grid.row, column), blockPanelA, bytesOf(numbers)); err != nil {
				return err
			}
		}
	}
	if innerB.First <= panel.First && panel.First < innerB.End {
		width := columns.Len()
		numbers := m.b[(panel.First-innerB.First)*width : (panel.End-innerB.First)*width]
		for row := range m.grid.rows {
			if err := p.SendBlock(m.grid.rank(row, m.grid.column), blockPanelB, bytesOf(numbers)); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes this rank's block of C.
func (m *product) write(p *peer.Peer) error {
	rows, _, _, columns := m.own()
	var key, value []byte
	for i := range rows.Len() {
		if columns.Len() == 0 {
			return nil
		}
		key = strconv.AppendInt(key[:0], int64(rows.First+i), 10)
		key = strconv.AppendInt(append(key, ' '), int64(columns.First), 10)
		value = appendNumbers(value[:0], m.c[i*columns.Len():(i+1)*columns.Len()])
		if err := p.WriteKV(key, value); err != nil {
			return err
		}
	}
	return nil
}

// Save keeps the blocks of A and B once, and C.
func (m *product) Save(w *peer.SnapshotWriter) error {
	if err := w.Once("blocks", saveBlocks(m.shape, m.a, m.b)); err != nil {
		return err
	}
	return w.Put("product", bytesOf([]int64{m.panel}), bytesOf(m.c))
}

// Load goes on from a checkpoint.
func (m *product) Load(r *peer.SnapshotReader) error {
	if r.Fresh() || m.a == nil {
		head, rest, err := readSection(r, "blocks", 4)
		if err != nil {
			return err
		}
		m.shape = shape{int(head[0]), int(head[1]), int(head[2])}
		m.a, m.b = columnOf[float64](rest[:8*head[3]]), columnOf[float64](rest[8*head[3]:])
	}
	head, rest, err := readSection(r, "product", 1)
	if err != nil {
		return err
	}
	m.panel, m.c = head[0], columnOf[float64](rest)
	return nil
}

// tooLarge is the error of matrices that do not fit.
func tooLarge(s shape, need, have int64) error {
	return core.Errorf(core.Invalid, "%d x %d times %d x %d takes %d MiB on a rank that may hold %d MiB",
		s.rows, s.inner, s.inner, s.columns, need>>20, have>>20).At("gang.memory").Do("give the gang more memory, or more ranks")
}
