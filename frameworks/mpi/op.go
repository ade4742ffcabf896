package mpi

import "cmp"

// An operator combines element by element: into[i] becomes into[i] op from[i],
// both of one length. It must be associative; it need not be commutative, since
// reductions combine in the order of ranks. Any function of this shape will do.
type Op[T any] = func(into, from []T)

// Sum adds.
func Sum[T Number](into, from []T) {
	from = from[:len(into)]
	for i := range into {
		into[i] += from[i]
	}
}

// Prod multiplies.
func Prod[T Number](into, from []T) {
	from = from[:len(into)]
	for i := range into {
		into[i] *= from[i]
	}
}

// Min keeps the least. It is NaN where either is.
func Min[T Number](into, from []T) {
	from = from[:len(into)]
	for i := range into {
		into[i] = min(into[i], from[i])
	}
}

// Max keeps the greatest. It is NaN where either is.
func Max[T Number](into, from []T) {
	from = from[:len(into)]
	for i := range into {
		into[i] = max(into[i], from[i])
	}
}

// Integer is what the bitwise operators know.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// BitAnd is MPI_BAND.
func BitAnd[T Integer](into, from []T) {
	from = from[:len(into)]
	for i := range into {
		into[i] &= from[i]
	}
}

// BitOr is MPI_BOR.
func BitOr[T Integer](into, from []T) {
	from = from[:len(into)]
	for i := range into {
		into[i] |= from[i]
	}
}

// BitXor is MPI_BXOR.
func BitXor[T Integer](into, from []T) {
	from = from[:len(into)]
	for i := range into {
		into[i] ^= from[i]
	}
}

// And is MPI_LAND.
func And(into, from []bool) {
	for i := range into {
		into[i] = into[i] && from[i]
	}
}

// Or is MPI_LOR.
func Or(into, from []bool) {
	for i := range into {
		into[i] = into[i] || from[i]
	}
}

// Xor is MPI_LXOR.
func Xor(into, from []bool) {
	for i := range into {
		into[i] = into[i] != from[i]
	}
}

// Located is a value and where it was found, for [MinLoc] and [MaxLoc].
type Located[T cmp.Ordered] struct {
	Value T
	At    int
}

// MinLoc keeps the least value; of equal ones that with the least At.
func MinLoc[T cmp.Ordered](into, from []Located[T]) {
	for i, f := range from[:len(into)] {
		if f.Value < into[i].Value || f.Value == into[i].Value && f.At < into[i].At {
			into[i] = f
		}
	}
}

// MaxLoc keeps the greatest value; of equal ones that with the least At.
func MaxLoc[T cmp.Ordered](into, from []Located[T]) {
	for i, f := range from[:len(into)] {
		if f.Value > into[i].Value || f.Value == into[i].Value && f.At < into[i].At {
			into[i] = f
		}
	}
}
