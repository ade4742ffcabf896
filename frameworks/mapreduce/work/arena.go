package work

// arena keeps byte strings in chunks, addressed by 32 bits: the chunk's number
// above, the offset below. It never moves what it holds.
type arena struct {
	chunks [][]byte
	free   [][]byte // of the usual size, from the last use
	held   int      // bytes handed out
}

const (
	chunkBits = 20
	chunkSize = 1 << chunkBits
	// maxChunks bounds an arena at 4 GiB of ordinary strings.
	maxChunks = 1 << (32 - chunkBits)
)

// room returns n bytes to write and their address. A string larger than a
// chunk gets a chunk of its own, of its size.
func (a *arena) room(n int) ([]byte, uint32) {
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < n {
		last++
		a.chunks = append(a.chunks, a.chunk(n))
	}
	c := a.chunks[last]
	off := len(c)
	a.held += n
	a.chunks[last] = c[:off+n]
	return a.chunks[last][off : off+n : off+n], uint32(last)<<chunkBits | uint32(off)
}

func (a *arena) chunk(n int) []byte {
	if n > chunkSize {
		return make([]byte, 0, n)
	}
	if k := len(a.free); k > 0 {
		c := a.free[k-1]
		a.free = a.free[:k-1]
		return c
	}
	return make([]byte, 0, chunkSize)
}

// full reports whether the next string might not be addressable.
func (a *arena) full() bool { return len(a.chunks) >= maxChunks-1 }

func (a *arena) put(b []byte) uint32 {
	dst, ref := a.room(len(b))
	copy(dst, b)
	return ref
}

// at returns n bytes at ref, valid until reset.
func (a *arena) at(ref uint32, n int) []byte {
	off := int(ref & (chunkSize - 1))
	return a.chunks[ref>>chunkBits][off : off+n : off+n]
}

// from returns what follows ref in its chunk.
func (a *arena) from(ref uint32) []byte {
	return a.chunks[ref>>chunkBits][ref&(chunkSize-1):]
}

// bytes is the memory in use, up to a part of a chunk.
func (a *arena) bytes() int { return a.held }

func (a *arena) reset() {
	for _, c := range a.chunks {
		if cap(c) == chunkSize {
			a.free = append(a.free, c[:0])
		}
	}
	a.chunks, a.held = a.chunks[:0], 0
}
