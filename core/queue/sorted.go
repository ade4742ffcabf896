package queue

import "slices"

// ranked is an element of a sorted: before is a strict total order.
type ranked[T any] interface {
	comparable
	before(T) bool
}

// sorted is an ordered set kept in blocks. With n elements, Add and Remove
// cost O(log n + blockSize), a step of after O(1). The zero value is empty.
type sorted[T ranked[T]] struct {
	blocks  [][]T // none empty; the last element of one is before the first of the next
	spare   []T   // an empty block for when there is none
	n       int
	version uint64 // counts changes, so that a finger knows when it is stale
}

// blockSize is the most elements of a block: small enough to shift quickly,
// large enough that the list of blocks is short.
const blockSize = 128

// finger is on the element that begin, after or at answered last. The zero
// value is at the beginning of a set that never changed.
type finger struct {
	block, i int
	version  uint64
}

func (s *sorted[T]) first() T { return s.blocks[0][0] }

// block is the last one that starts at or before x, or 0.
func (s *sorted[T]) block(x T) int {
	lo, hi := 1, len(s.blocks)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if x.before(s.blocks[mid][0]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo - 1
}

// within is the index in b of the first element that is not before x.
func within[T ranked[T]](b []T, x T) int {
	lo, hi := 0, len(b)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if b[mid].before(x) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// add puts x in its place; x must not be there yet.
func (s *sorted[T]) add(x T) {
	s.n++
	s.version++
	if len(s.blocks) == 0 {
		s.blocks, s.spare = append(s.blocks, append(s.spare, x)), nil
		return
	}
	k := s.block(x)
	b := s.blocks[k]
	i := within(b, x)
	if len(b) < blockSize {
		s.blocks[k] = slices.Insert(b, i, x)
		return
	}
	if i == len(b) && k == len(s.blocks)-1 {
		s.blocks = append(s.blocks, []T{x})
		return
	}
	right := slices.Clone(b[blockSize/2:])
	left := b[: blockSize/2 : blockSize/2]
	if i <= len(left) {
		left = slices.Insert(left, i, x)
	} else {
		right = slices.Insert(right, i-len(left), x)
	}
	s.blocks[k] = left
	s.blocks = slices.Insert(s.blocks, k+1, right)
}

// remove takes x out and reports whether it was there.
func (s *sorted[T]) remove(x T) bool {
	if len(s.blocks) == 0 {
		return false
	}
	k := s.block(x)
	b := s.blocks[k]
	i := within(b, x)
	if i == len(b) || b[i] != x {
		return false
	}
	s.n--
	s.version++
	switch {
	case len(s.blocks) == 1 && len(b) == 1:
		s.blocks, s.spare = s.blocks[:0], b[:0]
	case len(b) == 1:
		s.blocks = slices.Delete(s.blocks, k, k+1)
	case i == 0: // the usual case of a line served from its head
		s.blocks[k] = b[1:]
	default:
		s.blocks[k] = slices.Delete(b, i, i+1)
	}
	return true
}

// after is the first element behind x, which need not be an element; f is put
// on it.
func (s *sorted[T]) after(x T, f *finger) (next T, ok bool) {
	*f = finger{version: s.version}
	if len(s.blocks) > 0 {
		f.block = s.block(x)
		b := s.blocks[f.block]
		if f.i = within(b, x); f.i < len(b) && b[f.i] == x {
			f.i++
		}
	}
	return s.at(f)
}

// step puts f on the next element. The set is as it was when f was put where it
// is.
func (s *sorted[T]) step(f *finger) (next T, ok bool) {
	f.i++
	return s.at(f)
}

// stale reports whether the set changed since f was put where it is.
func (s *sorted[T]) stale(f *finger) bool { return f.version != s.version }

// at is the element under f, or under the next place that has one.
func (s *sorted[T]) at(f *finger) (x T, ok bool) {
	if f.block < len(s.blocks) && f.i == len(s.blocks[f.block]) {
		f.block, f.i = f.block+1, 0
	}
	if f.block >= len(s.blocks) {
		return x, false
	}
	return s.blocks[f.block][f.i], true
}

// begin is the first element, if there is one, with f on it.
func (s *sorted[T]) begin(f *finger) (x T, ok bool) {
	*f = finger{version: s.version}
	return s.at(f)
}

// each calls f with the elements in order until it returns false.
func (s *sorted[T]) each(f func(T) bool) {
	for _, b := range s.blocks {
		for _, x := range b {
			if !f(x) {
				return
			}
		}
	}
}

// clone returns a set that shares nothing with s.
func (s *sorted[T]) clone() sorted[T] {
	c := *s
	c.spare = nil
	c.blocks = make([][]T, len(s.blocks))
	all := make([]T, 0, s.n)
	for k, b := range s.blocks {
		from := len(all)
		all = append(all, b...)
		c.blocks[k] = all[from:len(all):len(all)]
	}
	return c
}
