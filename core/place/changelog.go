package place

import "slices"

// changeLog is the nodes that changed, in order. Entries are numbered for
// ever; old ones are dropped once following them costs more than counting
// anew.
type changeLog struct {
	refs  []Ref
	first uint64 // number of refs[0]
	read  uint64 // everything before this has been followed by somebody
}

// next is the number of the next entry.
func (l *changeLog) next() uint64 { return l.first + uint64(len(l.refs)) }

func (l *changeLog) add(r Ref) {
	// A change that nobody has followed yet covers the next one of its node.
	if n := len(l.refs); n > 0 && l.refs[n-1] == r && l.next() > l.read {
		return
	}
	l.refs = append(l.refs, r)
}

// since is the entries from number n on; false if some of them are gone.
func (l *changeLog) since(n uint64) ([]Ref, bool) {
	if n < l.first {
		return nil, false
	}
	return l.refs[n-l.first:], true
}

// trim drops the older half of more than limit entries.
func (l *changeLog) trim(limit int) {
	if len(l.refs) <= limit {
		return
	}
	drop := len(l.refs) / 2
	// A copy, for a clone may share the old entries; with room up to the next.
	l.refs = append(make([]Ref, 0, limit+1), l.refs[drop:]...)
	l.first += uint64(drop)
}

// clone shares the entries, which never change, but not what comes after them.
func (l *changeLog) clone() changeLog {
	c := *l
	c.refs = slices.Clip(l.refs)
	return c
}
