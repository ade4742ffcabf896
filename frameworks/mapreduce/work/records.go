package work

import "encoding/binary"

// records keeps pairs in the order of their emission, to be sorted later. A
// pair lies in the arena as length of key, key, value; the value as its length
// and bytes, as eight bytes, or not at all, by its kind.
type records struct {
	arena arena
	items []item
	kind  Kind // of the values
}

const itemBytes = 2 * 16 // with its place in the sorter's scratch space

func (r *records) bytes() int { return r.arena.bytes() + len(r.items)*itemBytes }

func (r *records) reset() {
	r.arena.reset()
	r.items = r.items[:0]
}

// add keeps a pair with a value of bytes.
func (r *records) add(part int, prefix uint64, key, value []byte) {
	n := uvarintLen(len(key)) + len(key)
	if r.kind.bytes() {
		n += uvarintLen(len(value)) + len(value)
	}
	b, ref := r.arena.room(n)
	b = b[putBytes(b, key):]
	if r.kind.bytes() {
		putBytes(b, value)
	}
	r.items = append(r.items, item{prefix: prefix, part: uint32(part), ref: ref})
}

// addNum keeps a pair with a value of 64 bits.
func (r *records) addNum(part int, prefix uint64, key []byte, bits uint64) {
	b, ref := r.arena.room(uvarintLen(len(key)) + len(key) + 8)
	b = b[putBytes(b, key):]
	binary.LittleEndian.PutUint64(b, bits)
	r.items = append(r.items, item{prefix: prefix, part: uint32(part), ref: ref})
}

func (r *records) key(ref uint32) []byte {
	key, _ := takeBytes(r.arena.from(ref))
	return key
}

func (r *records) value(ref uint32) []byte {
	_, rest := takeBytes(r.arena.from(ref))
	value, _ := takeBytes(rest)
	return value
}

func (r *records) num(ref uint32) uint64 {
	_, rest := takeBytes(r.arena.from(ref))
	return binary.LittleEndian.Uint64(rest)
}

func putBytes(dst, b []byte) int {
	n := binary.PutUvarint(dst, uint64(len(b)))
	return n + copy(dst[n:], b)
}

func takeBytes(b []byte) (taken, rest []byte) {
	if b[0] < 0x80 { // one byte of length, almost always
		n := int(b[0]) + 1
		return b[1:n:n], b[n:]
	}
	n, w := binary.Uvarint(b)
	end := w + int(n)
	return b[w:end:end], b[end:]
}

func uvarintLen(n int) int {
	w := 1
	for ; n >= 0x80; n >>= 7 {
		w++
	}
	return w
}
