package work

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// entry is a key and a number. lo and hi are the key's bytes, little endian and
// zero padded, if it is short; else its first eight bytes and a hash of it. A
// free entry has size 0.
type entry struct {
	lo, hi uint64
	size   uint32 // length of the key + 1
	ref    uint32 // where the bytes of a long key are
	acc    int64
}

const (
	inlineKey  = 16 // bytes of the longest short key
	entryBytes = 32
)

// inline loads a key of at most 16 bytes into two words.
func inline(key []byte) (lo, hi uint64) {
	switch n := len(key); {
	case n > 8:
		lo = binary.LittleEndian.Uint64(key)
		hi = binary.LittleEndian.Uint64(key[n-8:]) >> (8 * uint(16-n))
	case n == 8:
		lo = binary.LittleEndian.Uint64(key)
	case n >= 4:
		lo = uint64(binary.LittleEndian.Uint32(key)) | uint64(binary.LittleEndian.Uint32(key[n-4:]))<<(8*uint(n-4))
	case n > 0:
		lo = uint64(key[0]) | uint64(key[n/2])<<(8*uint(n/2)) | uint64(key[n-1])<<(8*uint(n-1))
	}
	return lo, hi
}

// short writes the key of an entry that holds it to buf and returns it.
func (e *entry) short(buf *[inlineKey]byte) []byte {
	binary.LittleEndian.PutUint64(buf[:8], e.lo)
	binary.LittleEndian.PutUint64(buf[8:], e.hi)
	return buf[:e.size-1]
}

// seed is a hash function of keys. Its high bits are the good ones.
type seed uint64

// newSeed is a hash function that no input can be made to collide in.
func newSeed() seed { return seed(rand.Uint64()) }

const (
	mul1 = 0x9E3779B97F4A7C15
	mul2 = 0xD6E8FEB86659FD93
)

// mix is one folded multiplication, the step of wyhash.
func mix(a, b uint64) uint64 {
	h, l := bits.Mul64(a, b)
	return h ^ l
}

// short is the hash of a key of n bytes held in two words.
func (s seed) short(lo, hi uint64, n int) uint64 {
	return mix(lo^uint64(s), hi^uint64(n)^mul1) * mul2
}

// long is the hash of any other key.
func (s seed) long(key []byte) uint64 {
	h := uint64(s) ^ uint64(len(key))
	for len(key) >= 8 {
		h = mix(h^binary.LittleEndian.Uint64(key), mul1)
		key = key[8:]
	}
	lo, _ := inline(key)
	return mix(h^lo, mul2) * mul1
}

// of is the hash of a key.
func (s seed) of(key []byte) uint64 {
	if len(key) > inlineKey {
		return s.long(key)
	}
	lo, hi := inline(key)
	return s.short(lo, hi, len(key))
}
