package vertex

import "cmp"

// Number is what arithmetic is done on.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Combiner makes one message of two for the same vertex. It has to be
// associative and commutative; how messages are grouped follows from the
// partitions. The zero value combines nothing.
type Combiner[M any] struct {
	combine func(a, b M) M
	// scatter sends m to all targets of a column. Built-in combiners have a
	// loop of their own, without a call for each edge.
	scatter func(column []M, set bitset, targets []uint32, m M)
	// zero says that combining with the zero value changes nothing.
	zero bool
	// imply, if any, puts into set what scatter left out: it saves an access for
	// each edge where a message shows by itself.
	imply func(column []M, set bitset)
}

// add combines m into a column.
func (c *Combiner[M]) add(column []M, set bitset, to uint32, m M) {
	if set.add(to) && !c.zero {
		column[to] = m
	} else {
		column[to] = c.combine(column[to], m)
	}
}

// Combine is a combiner from a function.
func Combine[M any](f func(a, b M) M) Combiner[M] {
	return Combiner[M]{combine: f, scatter: func(column []M, set bitset, targets []uint32, m M) {
		for _, t := range targets {
			if set.add(t) {
				column[t] = m
			} else {
				column[t] = f(column[t], m)
			}
		}
	}}
}

// Sum adds messages up.
func Sum[M Number]() Combiner[M] {
	c := Combiner[M]{combine: func(a, b M) M { return a + b }, zero: true}
	if one, two := M(1), M(2); one/two == 0 {
		c.scatter = func(column []M, set bitset, targets []uint32, m M) {
			for _, t := range targets {
				set.put(t)
				column[t] += m
			}
		}
		return c
	}
	// A sum of floating-point numbers above zero is above zero, where one of
	// integers may overflow to it.
	c.scatter = func(column []M, set bitset, targets []uint32, m M) {
		if m > 0 {
			for _, t := range targets {
				column[t] += m
			}
			return
		}
		for _, t := range targets {
			set.put(t)
			column[t] += m
		}
	}
	c.imply = func(column []M, set bitset) {
		for i := range set {
			word := set[i]
			for j, m := range column[i*64 : min(i*64+64, len(column))] {
				if m != 0 {
					word |= 1 << j
				}
			}
			set[i] = word
		}
	}
	return c
}

// Min keeps the least message.
func Min[M cmp.Ordered]() Combiner[M] {
	return Combiner[M]{combine: func(a, b M) M { return min(a, b) }, scatter: func(column []M, set bitset, targets []uint32, m M) {
		for _, t := range targets {
			if set.add(t) || m < column[t] {
				column[t] = m
			}
		}
	}}
}

// Max keeps the greatest message.
func Max[M cmp.Ordered]() Combiner[M] {
	return Combiner[M]{combine: func(a, b M) M { return max(a, b) }, scatter: func(column []M, set bitset, targets []uint32, m M) {
		for _, t := range targets {
			if set.add(t) || m > column[t] {
				column[t] = m
			}
		}
	}}
}
