package gang

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// profile is how much is free in the whole cluster over time, as far as the
// walltimes tell: from at[i] until at[i+1] there is the i-th row of free, and
// the last for ever.
type profile struct {
	dims int
	at   []int64
	free []int64 // dims for each moment
}

func newProfile(dims int, now int64, free core.Vector) *profile {
	return &profile{dims, []int64{now}, slices.Clone(free[:dims])}
}

// copyFrom makes p what o is.
func (p *profile) copyFrom(o *profile) {
	p.dims, p.at, p.free = o.dims, append(p.at[:0], o.at...), append(p.free[:0], o.free...)
}

// release adds v from a moment on, which is not before the last one.
func (p *profile) release(at int64, v *core.Vector) {
	if last := len(p.at) - 1; p.at[last] < at {
		p.at = append(p.at, at)
		p.free = append(p.free, p.free[last*p.dims:]...)
	}
	row := p.free[(len(p.at)-1)*p.dims:]
	for d := range row {
		row[d] += v[d]
	}
}

// holds reports whether v is free in the i-th row.
func (p *profile) holds(i int, v *core.Vector) bool {
	row := p.free[i*p.dims : (i+1)*p.dims]
	for d, n := range row {
		if v[d] > n {
			return false
		}
	}
	return true
}

// earliest is the first moment from which v is free for so long; forever if
// there is none.
func (p *profile) earliest(v *core.Vector, length int64) int64 {
	for i := 0; i < len(p.at); {
		if !p.holds(i, v) {
			i++
			continue
		}
		end := later(p.at[i], length)
		k := i + 1
		for k < len(p.at) && p.at[k] < end && p.holds(k, v) {
			k++
		}
		if k == len(p.at) || p.at[k] >= end {
			return p.at[i]
		}
		i = k + 1
	}
	return forever
}

// fitsNow reports whether v is free for so long from the first moment on.
func (p *profile) fitsNow(v *core.Vector, length int64) bool {
	end := later(p.at[0], length)
	for i := range p.at {
		if p.at[i] >= end {
			return true
		}
		if !p.holds(i, v) {
			return false
		}
	}
	return true
}

// later is a moment so long after another; forever stays forever.
func later(at, length int64) int64 {
	if length == forever || at == forever {
		return forever
	}
	return at + length
}

// take lowers what is free by v from a moment on for so long.
func (p *profile) take(at int64, v *core.Vector, length int64) {
	if at == forever {
		return
	}
	from, to := p.split(at), len(p.at)
	if end := later(at, length); end != forever {
		to = p.split(end)
	}
	for i := from; i < to; i++ {
		row := p.free[i*p.dims : (i+1)*p.dims]
		for d := range row {
			row[d] -= v[d]
		}
	}
}

// split makes a moment one of p's and returns its row.
func (p *profile) split(at int64) int {
	i, found := slices.BinarySearch(p.at, at)
	if found {
		return i
	}
	p.at = slices.Insert(p.at, i, at)
	n := len(p.free)
	p.free = slices.Grow(p.free, p.dims)[:n+p.dims]
	copy(p.free[(i+1)*p.dims:], p.free[i*p.dims:n])
	copy(p.free[i*p.dims:(i+1)*p.dims], p.free[(i-1)*p.dims:i*p.dims])
	return i
}
