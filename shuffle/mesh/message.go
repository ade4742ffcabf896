package mesh

// Tag sorts the messages between two ranks. Order holds within a tag.
type Tag uint32

// Any, as the rank to receive from, stands for every rank.
const Any = -1

// Message is what a rank received. Its bytes belong to the receiver until
// Release. A message is not safe for concurrent use.
type Message struct {
	From int
	Tag  Tag

	data   []byte
	owner  owner // of data; nil when the garbage collector is
	slot   uint32
	charge int32 // bytes of its sender's credit that it takes up until it is taken
	signal bool
	order  uint64 // among all that came to this rank
	offer  *offer // set while the bytes are still with the sender
}

// tiny is the size up to which a message's bytes are not worth pooling.
const tiny = 64

// owner takes a message's bytes back.
type owner interface{ free(m *Message) }

// Bytes is the payload. It starts at a multiple of 8, and above 64 bytes at a
// multiple of 64. It may be read until Release; where it came by reference it
// lies in memory that cannot be written.
func (m *Message) Bytes() []byte { return m.data }

// Release gives the payload's memory back: to a pool, or to its sender, who
// may be waiting for it. Nobody may read Bytes afterwards. A second Release
// does nothing.
func (m *Message) Release() {
	if o := m.owner; o != nil {
		m.owner = nil
		o.free(m)
	}
	m.data = nil
}

// Lent reports whether Bytes lie in the sender's shared memory, which until
// Release has that much less room for what it sends.
func (m *Message) Lent() bool {
	_, lent := m.owner.(*shared)
	return lent
}

// key is what a receiver asks for: a tag on one of the two lanes.
type key uint64

const signalKey key = 1 << 32

func dataKey(t Tag) key { return key(t) }

// maskKey is the mask of a key whose tag has a mask.
func maskKey(mask Tag) key { return key(mask) | ^key(1<<32-1) }

func (m *Message) key() key {
	if m.signal {
		return key(m.Tag) | signalKey
	}
	return key(m.Tag)
}

// reserve gives m n bytes with undefined content.
func (m *Message) reserve(p *pool, n int) []byte {
	if n <= tiny {
		m.data = make([]byte, (n+7)&^7)[:n:n]
		return m.data
	}
	m.data, m.owner = p.Get(n), p
	return m.data
}
