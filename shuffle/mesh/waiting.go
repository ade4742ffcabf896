package mesh

import "slices"

// Waiting is a call that waits for another rank.
type Waiting struct {
	Sending bool
	Rank    int // of whom it wants something; Any
	Tag     Tag
	Mask    Tag // the bits of Tag that it asks for
}

// Waiting lists the calls that sleep until another rank does something, the
// oldest first, but for what waits behind an [Mesh.Offer]. Where the number is
// the same as before, so are the calls: nothing came meanwhile.
func (m *Mesh) Waiting() ([]Waiting, uint64) {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	list := slices.Clone(m.in.sends)
	for _, w := range m.in.waiters {
		if w.key&signalKey == 0 && (w.posted == nil || w.posted.bell != nil) {
			list = append(list, Waiting{Rank: w.from, Tag: Tag(w.key), Mask: Tag(w.mask)})
		}
	}
	return list, m.in.count + m.in.tries
}

// sending notes a send that may wait for its receiver, and lets those it may be
// waiting for be served meanwhile.
func (in *inbox) sending(to int, t Tag) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.sends = append(in.sends, Waiting{Sending: true, Rank: to, Tag: t, Mask: WholeTag})
	in.tries++
	if in.asleep++; len(in.waiters) > 0 {
		in.watch(Any)
	}
}

func (in *inbox) sent(to int, t Tag) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.asleep--
	i := slices.Index(in.sends, Waiting{Sending: true, Rank: to, Tag: t, Mask: WholeTag})
	in.sends = slices.Delete(in.sends, i, i+1)
}
