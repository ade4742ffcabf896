package gang

// due is a moment at which something happens to a gang by itself.
type due struct {
	at   int64
	gang *member
}

func (d due) before(o due) bool {
	return d.at < o.at || d.at == o.at && d.gang.number < o.gang.number
}

// dues is a binary heap, earliest first. A gang has at most one place in it and
// knows it (member.duePlace, from 1), so that it can be taken out.
type dues []due

func (d *dues) set(g *member, at int64) {
	if g.duePlace > 0 {
		d.drop(g.duePlace - 1)
	}
	if at == 0 {
		return
	}
	*d = append(*d, due{at, g})
	g.duePlace = len(*d)
	d.rise(len(*d) - 1)
}

func (d *dues) drop(i int) {
	h := *d
	h[i].gang.duePlace = 0
	last := len(h) - 1
	if i != last {
		h[i] = h[last]
		h[i].gang.duePlace = i + 1
	}
	h[last] = due{}
	*d = h[:last]
	if i != last {
		d.sink(i)
		d.rise(i)
	}
}

func (d dues) swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].gang.duePlace, d[j].gang.duePlace = i+1, j+1
}

func (d dues) rise(i int) {
	for i > 0 && d[i].before(d[(i-1)/2]) {
		d.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (d dues) sink(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(d); c++ {
			if d[c].before(d[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		d.swap(i, least)
		i = least
	}
}
