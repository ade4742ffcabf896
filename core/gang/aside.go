package gang

// asides is what a copy before a long line takes along beside who holds nodes, so
// that it need not look at all in line to find them: arrays and whoever is held,
// and jobs of which something is known that no gang of theirs tells. More may be in
// it, as far as it is still known.
type asides struct {
	gangs []*member
	jobs  []*job
}

func (a *asides) add(g *member) {
	if g.aside == 0 {
		a.gangs = append(a.gangs, g)
		g.aside = len(a.gangs)
	}
}

func (a *asides) remove(g *member) {
	if g.aside == 0 {
		return
	}
	end := len(a.gangs) - 1
	last := a.gangs[end]
	a.gangs[g.aside-1], last.aside = last, g.aside
	a.gangs[end] = nil
	a.gangs, g.aside = a.gangs[:end], 0
}

func (a *asides) addJob(j *job) {
	if j.aside == 0 {
		a.jobs = append(a.jobs, j)
		j.aside = len(a.jobs)
	}
}

func (a *asides) removeJob(j *job) {
	if j.aside == 0 {
		return
	}
	end := len(a.jobs) - 1
	last := a.jobs[end]
	a.jobs[j.aside-1], last.aside = last, j.aside
	a.jobs[end] = nil
	a.jobs, j.aside = a.jobs[:end], 0
}
