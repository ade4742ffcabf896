package vertex

import "math/bits"

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i uint32) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b bitset) put(i uint32)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) drop(i uint32)     { b[i>>6] &^= 1 << (i & 63) }

// add reports whether i is new.
func (b bitset) add(i uint32) bool {
	w, m := &b[i>>6], uint64(1)<<(i&63)
	if *w&m != 0 {
		return false
	}
	*w |= m
	return true
}

// section copies n bits from lo on to the front of out, and counts them.
func (b bitset) section(out *bitset, lo uint32, n int) (count int) {
	words := (n + 63) / 64
	if cap(*out) < words {
		*out = make(bitset, words)
	}
	*out = (*out)[:words]
	at, shift := int(lo/64), lo%64
	for i := range *out {
		w := b[at+i] >> shift
		if shift > 0 && at+i+1 < len(b) {
			w |= b[at+i+1] << (64 - shift)
		}
		if rest := n - i*64; rest < 64 {
			w &= 1<<rest - 1
		}
		(*out)[i] = w
		count += bits.OnesCount64(w)
	}
	return count
}

func (b bitset) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}
