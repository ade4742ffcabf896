package algorithm

import (
	"sync"
	"sync/atomic"
)

// Rows and columns of C that are held in registers, and rows of A that a core
// takes at a time.
const (
	tile  = 4
	strip = 64
)

// addProduct adds a b to c: rows x inner times inner x columns, row by row.
//
// As in Goto and van de Geijn ("Anatomy of high-performance matrix
// multiplication", 2008), both are first laid out in the order in which they are
// read: tile columns of b side by side, and tile rows of a, so that 16 sums stay
// in registers while both are read once from the cache. Each sum is added up in
// the order of the inner numbers, on any number of cores.
func addProduct(cores int, c, a, b []float64, rows, inner, columns int) {
	if rows == 0 || inner == 0 || columns == 0 {
		return
	}
	packed := packColumns(b, inner, columns)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range max(cores, 1) {
		wait.Go(func() {
			four := make([]float64, tile*inner)
			for {
				from := int(next.Add(strip)) - strip
				if from >= rows {
					return
				}
				for row := from; row < min(from+strip, rows); row += tile {
					packRows(four, a[row*inner:min(row+tile, rows)*inner], inner)
					addTiles(c[row*columns:], four, packed, min(tile, rows-row), inner, columns)
				}
			}
		})
	}
	wait.Wait()
}

// packColumns lays b out by tiles of columns, the last filled up with zeros.
func packColumns(b []float64, inner, columns int) []float64 {
	packed := make([]float64, (columns+tile-1)/tile*tile*inner)
	for k := range inner {
		row := b[k*columns : (k+1)*columns]
		for j, x := range row {
			packed[j/tile*tile*inner+k*tile+j%tile] = x
		}
	}
	return packed
}

// packRows lays up to tile rows out by columns, missing ones as zeros.
func packRows(four, a []float64, inner int) {
	for i := range tile {
		for k := range inner {
			x := 0.0
			if i*inner < len(a) {
				x = a[i*inner+k]
			}
			four[k*tile+i] = x
		}
	}
}

// addTiles adds the products of tile rows with all tiles of columns to c.
func addTiles(c, four, packed []float64, rows, inner, columns int) {
	for j := 0; j < columns; j += tile {
		var sums [tile * tile]float64
		multiplyTile(&sums, four, packed[j*inner:(j+tile)*inner])
		for i := range rows {
			into := c[i*columns+j : i*columns+min(j+tile, columns)]
			for l := range into {
				into[l] += sums[i*tile+l]
			}
		}
	}
}

// multiplyTile is the innermost loop: 16 products for 8 numbers read.
func multiplyTile(sums *[tile * tile]float64, a, b []float64) {
	var s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33 float64
	for len(a) >= tile && len(b) >= tile {
		a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		s00 += a0 * b0
		s01 += a0 * b1
		s02 += a0 * b2
		s03 += a0 * b3
		s10 += a1 * b0
		s11 += a1 * b1
		s12 += a1 * b2
		s13 += a1 * b3
		s20 += a2 * b0
		s21 += a2 * b1
		s22 += a2 * b2
		s23 += a2 * b3
		s30 += a3 * b0
		s31 += a3 * b1
		s32 += a3 * b2
		s33 += a3 * b3
		a, b = a[tile:], b[tile:]
	}
	*sums = [tile * tile]float64{s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33}
}
