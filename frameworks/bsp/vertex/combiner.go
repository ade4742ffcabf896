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
	return Combiner[M]{combine: func(a, b M) M { return a + b }, scatter: func(column []M, set bitset, targets []uint32, m M) {
		for _, t := range targets {
			// What is not set is zero.
			set.put(t)
			column[t] += m
		}
	}}
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
