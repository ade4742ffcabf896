package simulate

import "sort"

// profile is the free CPU over time, as far as the walltimes tell: from
// at[i] until at[i+1] there is free[i], and the last goes on for ever.
type profile struct{ at, free []int64 }

func (p *profile) clone() *profile {
	return &profile{append([]int64(nil), p.at...), append([]int64(nil), p.free...)}
}

// earliest is the first time at which width is free for length on end.
func (p *profile) earliest(width, length int64) int64 {
	for i := 0; ; {
		if p.free[i] < width {
			i++
			continue
		}
		k := i + 1
		for k < len(p.at) && p.at[k] < p.at[i]+length && p.free[k] >= width {
			k++
		}
		if k == len(p.at) || p.at[k] >= p.at[i]+length {
			return p.at[i]
		}
		i = k + 1
	}
}

// take lowers what is free by width from start for length.
func (p *profile) take(start, width, length int64) {
	from, to := p.split(start), p.split(start+length)
	for i := from; i < to; i++ {
		p.free[i] -= width
	}
}

// split makes t a time of p, and returns its index.
func (p *profile) split(t int64) int {
	i := sort.Search(len(p.at), func(i int) bool { return p.at[i] >= t })
	if i < len(p.at) && p.at[i] == t {
		return i
	}
	p.at, p.free = append(p.at, 0), append(p.free, 0)
	copy(p.at[i+1:], p.at[i:])
	copy(p.free[i+1:], p.free[i:])
	p.at[i], p.free[i] = t, p.free[i-1]
	return i
}
