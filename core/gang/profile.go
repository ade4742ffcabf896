package gang

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// profile is how much is free in the whole cluster over time, as far as the
// walltimes tell: from at[i] until at[i+1] there is the i-th row of free, and
// the last for ever. planned is how much of the cluster what is planned takes
// then, in shares: see supply.
type profile struct {
	dims    int
	at      []int64
	free    []int64 // dims for each moment
	planned []int64
}

// piece is what a gang takes of a profile.
type piece struct {
	need   *core.Vector
	share  int64
	length int64
}

// piece is what g takes of a plan.
func (s *Scheduler) piece(g *member) piece {
	return piece{&g.ask.need, s.shares(g.ask).gang, g.length()}
}

func newProfile(dims int, now int64, free core.Vector) *profile {
	return &profile{dims, []int64{now}, slices.Clone(free[:dims]), []int64{0}}
}

// copyFrom makes p what o is.
func (p *profile) copyFrom(o *profile) {
	p.dims, p.at = o.dims, append(p.at[:0], o.at...)
	p.free, p.planned = append(p.free[:0], o.free...), append(p.planned[:0], o.planned...)
}

// release adds v from a moment on, which is not before the last one.
func (p *profile) release(at int64, v *core.Vector) {
	if last := len(p.at) - 1; p.at[last] < at {
		p.at = append(p.at, at)
		p.free = append(p.free, p.free[last*p.dims:]...)
		p.planned = append(p.planned, p.planned[last])
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

// earliest is the first moment from which g has room for as long as it may run;
// forever if there is none.
func (p *profile) earliest(g *member, u *supply) int64 {
	length, nodes := g.length(), u.lookout(g.ask)
	holds := func(i int) bool { return p.holds(i, &g.ask.need) && nodes.holds(p.at[i], p.planned[i]) }
	for i := 0; i < len(p.at); {
		if !holds(i) {
			i++
			continue
		}
		end := later(p.at[i], length)
		k := i + 1
		for k < len(p.at) && p.at[k] < end && holds(k) {
			k++
		}
		if k == len(p.at) || p.at[k] >= end {
			return p.at[i]
		}
		i = k + 1
	}
	return forever
}

// later is a moment so long after another; forever stays forever.
func later(at, length int64) int64 {
	if length == forever || at == forever {
		return forever
	}
	return at + length
}

// take lowers what is free by what a gang takes from a moment on.
func (p *profile) take(at int64, v piece) {
	if at == forever {
		return
	}
	from, to := p.split(at), len(p.at)
	if end := later(at, v.length); end != forever {
		to = p.split(end)
	}
	for i := from; i < to; i++ {
		row := p.free[i*p.dims : (i+1)*p.dims]
		for d := range row {
			row[d] -= v.need[d]
		}
		p.planned[i] += v.share
	}
}

// split makes a moment one of p's and returns its row.
func (p *profile) split(at int64) int {
	i, found := slices.BinarySearch(p.at, at)
	if found {
		return i
	}
	p.at = slices.Insert(p.at, i, at)
	p.planned = slices.Insert(p.planned, i, p.planned[i-1])
	n := len(p.free)
	p.free = slices.Grow(p.free, p.dims)[:n+p.dims]
	copy(p.free[(i+1)*p.dims:], p.free[i*p.dims:n])
	copy(p.free[i*p.dims:(i+1)*p.dims], p.free[(i-1)*p.dims:i*p.dims])
	return i
}
