package kernel

import (
	"math"
	"unsafe"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
)

// Number is what columns and sums are of.
type Number interface {
	~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// Semiring says how what neighbours say becomes one value: the first word is
// how two become one, the second what an edge does to one on its way.
type Semiring int

const (
	PlusFirst Semiring = iota // the sum of what they say
	PlusTimes                 // the sum of that times the edges' weights
	MinFirst                  // the least of what they say
	MinPlus                   // the least of that plus the edges' weights
	MaxFirst                  // the greatest of what they say; of 0 and 1, whether any says 1
	MaxTimes                  // the greatest of that times the edges' weights
	OrFirst                   // the union of sets of bits; A is unsigned
)

// weighted reports whether s looks at weights.
func (s Semiring) weighted() bool { return s == PlusTimes || s == MinPlus || s == MaxTimes }

// zero is the sum of nothing.
func zero[A Number](s Semiring) A {
	least, most := limits[A]()
	switch s {
	case MinFirst, MinPlus:
		return most
	case MaxFirst, MaxTimes:
		return least
	}
	return 0
}

// limits are the least and the greatest of A; infinities of floating point.
func limits[A Number]() (least, most A) {
	var z A
	bits := 8 * unsafe.Sizeof(z)
	half := A(1) / 2
	switch {
	case half != 0:
		inf := math.Inf(1)
		return A(-inf), A(inf)
	case z-1 > 0:
		return 0, z - 1
	case bits == 32:
		low, high := int64(math.MinInt32), int64(math.MaxInt32)
		return A(low), A(high)
	}
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	return A(low), A(high)
}

// add is the sum of two.
func add[A Number](s Semiring, a, b A) A {
	switch s {
	case MinFirst, MinPlus:
		return min(a, b)
	case MaxFirst, MaxTimes:
		return max(a, b)
	case OrFirst:
		return A(uint64(a) | uint64(b))
	}
	return a + b
}

// at is column[t]. Targets are below the column's length: package graph made
// them. Checking each again costs a tenth of the loop.
func at[C Number](base unsafe.Pointer, t uint32) C {
	var z C
	return *(*C)(unsafe.Add(base, uintptr(t)*unsafe.Sizeof(z)))
}

// gather sets sums[i] to the sum of row r.First+i.
func gather[C, A Number](s Semiring, c *graph.CSR, r graph.Range, column []C, sums []A) {
	if len(column) == 0 {
		return
	}
	base := unsafe.Pointer(unsafe.SliceData(column))
	none := zero[A](s)
	for i := range r.Len() {
		row := c.Row(r.First + i)
		if len(row) == 0 {
			sums[i] = none
			continue
		}
		var w []float64
		if s.weighted() && c.Weights != nil {
			w = c.RowWeights(r.First + i)
		}
		switch s {
		case PlusFirst:
			sums[i] = plusFirst[C, A](base, row)
		case PlusTimes:
			sums[i] = plusTimes[C, A](base, row, w)
		case MinFirst:
			sums[i] = minFirst[C, A](base, row)
		case MinPlus:
			sums[i] = minPlus[C, A](base, row, w)
		case MaxFirst:
			sums[i] = maxFirst[C, A](base, row)
		case MaxTimes:
			sums[i] = maxTimes[C, A](base, row, w)
		case OrFirst:
			sums[i] = orFirst[C, A](base, row)
		}
	}
}

// plusFirst has four sums, which do not wait for one another.
func plusFirst[C, A Number](base unsafe.Pointer, row []uint32) A {
	var a, b, c, d A
	for len(row) >= 4 {
		a += A(at[C](base, row[0]))
		b += A(at[C](base, row[1]))
		c += A(at[C](base, row[2]))
		d += A(at[C](base, row[3]))
		row = row[4:]
	}
	for _, t := range row {
		a += A(at[C](base, t))
	}
	return (a + b) + (c + d)
}

func plusTimes[C, A Number](base unsafe.Pointer, row []uint32, w []float64) A {
	if w == nil {
		return plusFirst[C, A](base, row)
	}
	var a, b A
	w = w[:len(row)]
	i := 0
	for ; i+1 < len(row); i += 2 {
		a += A(at[C](base, row[i])) * A(w[i])
		b += A(at[C](base, row[i+1])) * A(w[i+1])
	}
	if i < len(row) {
		a += A(at[C](base, row[i])) * A(w[i])
	}
	return a + b
}

func minFirst[C, A Number](base unsafe.Pointer, row []uint32) A {
	least := at[C](base, row[0])
	for _, t := range row[1:] {
		least = min(least, at[C](base, t))
	}
	return A(least)
}

// minPlus leaves the greatest value of whole numbers as it is, which stands for
// what cannot be reached.
func minPlus[C, A Number](base unsafe.Pointer, row []uint32, w []float64) A {
	_, least := limits[A]()
	_, never := limits[C]()
	for i, t := range row {
		x := at[C](base, t)
		if x == never {
			continue
		}
		length := A(1)
		if w != nil {
			length = A(w[i])
		}
		least = min(least, A(x)+length)
	}
	return least
}

func maxFirst[C, A Number](base unsafe.Pointer, row []uint32) A {
	most := at[C](base, row[0])
	for _, t := range row[1:] {
		most = max(most, at[C](base, t))
	}
	return A(most)
}

func maxTimes[C, A Number](base unsafe.Pointer, row []uint32, w []float64) A {
	if w == nil {
		return maxFirst[C, A](base, row)
	}
	most, _ := limits[A]()
	for i, t := range row {
		most = max(most, A(at[C](base, t))*A(w[i]))
	}
	return most
}

func orFirst[C, A Number](base unsafe.Pointer, row []uint32) A {
	var all uint64
	for _, t := range row {
		all |= uint64(at[C](base, t))
	}
	return A(all)
}
