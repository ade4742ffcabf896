package algorithm

import "math/bits"

// bitset is a set of dense ids.
type bitset struct{ words []uint64 }

func newBitset(n int) *bitset { return &bitset{words: make([]uint64, (n+63)/64)} }

func (b *bitset) set(i uint32)      { b.words[i>>6] |= 1 << (i & 63) }
func (b *bitset) unset(i uint32)    { b.words[i>>6] &^= 1 << (i & 63) }
func (b *bitset) has(i uint32) bool { return b.words[i>>6]&(1<<(i&63)) != 0 }
func (b *bitset) clear()            { clear(b.words) }

// appendSet appends the members from <= i < to, ascending.
func (b *bitset) appendSet(dst []uint32, from, to uint32) []uint32 {
	for w := from >> 6; uint64(w)<<6 < uint64(to); w++ {
		word := b.words[w]
		if w == from>>6 {
			word &= ^uint64(0) << (from & 63)
		}
		for ; word != 0; word &= word - 1 {
			i := w<<6 + uint32(bits.TrailingZeros64(word))
			if i >= to {
				return dst
			}
			dst = append(dst, i)
		}
	}
	return dst
}
