package gang

// due is a moment at which something happens to a gang by itself.
type due struct {
	at   int64
	gang *member
}

func (d due) before(o due) bool {
	return d.at < o.at || d.at == o.at && d.gang.number < o.gang.number
}

// dues is a heap, earliest first, of which each node has arity children: that
// touches fewer gangs than one of two. A gang has at most one place in it and
// knows it (member.duePlace, from 1), so that it can be moved and taken out.
type dues []due

const arity = 4

// set gives g another due; at 0 none.
func (d *dues) set(g *member, at int64) {
	i := g.duePlace - 1
	switch {
	case i < 0 && at == 0:
	case i < 0:
		*d = append(*d, due{at, g})
		d.rise(len(*d) - 1)
	case at == 0:
		d.drop(i)
	default:
		(*d)[i].at = at
		d.sink(d.rise(i))
	}
}

func (d *dues) drop(i int) {
	h := *d
	h[i].gang.duePlace = 0
	last := len(h) - 1
	v := h[last]
	h[last] = due{}
	*d = h[:last]
	if i != last {
		h.put(i, v)
		d.sink(d.rise(i))
	}
}

func (d dues) put(i int, v due) {
	d[i] = v
	v.gang.duePlace = i + 1
}

// rise and sink move what is at place i to where it belongs, and answer where
// that is.
func (d dues) rise(i int) int {
	v := d[i]
	for i > 0 {
		up := (i - 1) / arity
		if !v.before(d[up]) {
			break
		}
		d.put(i, d[up])
		i = up
	}
	d.put(i, v)
	return i
}

func (d dues) sink(i int) int {
	v := d[i]
	for {
		first := arity*i + 1
		if first >= len(d) {
			break
		}
		least := first
		for c := first + 1; c < min(first+arity, len(d)); c++ {
			if d[c].before(d[least]) {
				least = c
			}
		}
		if !d[least].before(v) {
			break
		}
		d.put(i, d[least])
		i = least
	}
	d.put(i, v)
	return i
}
