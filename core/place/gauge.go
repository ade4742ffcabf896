package place

import "math"

// gauge counts for how many ranks there is room as a policy lets it be used,
// and follows single nodes. A claim has no placement if that is less than its
// minimum.
type gauge struct {
	level  level // that has to hold the gang; cluster for none
	gang   int64 // ranks that have to lie in one domain
	host   int32 // the most on one host
	run    int32 // ranks that lie on one host together
	spread bool  // one rank in a domain counts
	sums   []int64
	total  int64
}

// aim reads what a claim's policy says about its first role.
func (g *gauge) aim(c *Claim) {
	p, role := c.Policy, &c.Roles[0]
	relax := level(0)
	if p.Preferred {
		relax = level(max(0, c.Relax))
	}
	*g = gauge{level: cluster, gang: 1, host: math.MaxInt32, run: 1, sums: g.sums}
	switch {
	case p.Pack != "":
		g.level = max(host, min(packed(p.Pack)+relax, cluster))
	case p.Spread != "":
		if l, ok := levelOf(p.Spread); ok && l-relax >= host {
			g.level, g.spread = l-relax, true
		}
	}
	if g.level < cluster && !g.spread {
		g.gang = int64(max(1, least(role)))
	}
	if p.PerHost > 0 {
		g.host = int32(p.PerHost)
	}
	if p.Slice > 1 && p.SliceLevel == host.String() {
		g.run = int32(p.Slice)
	}
	if int(g.run) > 1 && least(role)%int(g.run) != 0 {
		g.run = 1 // the last run may be shorter, so that rests count
	}
}

// least is how few ranks of a role will do.
func least(r *RoleAsk) int {
	if r.Min <= 0 || r.Min > r.Size {
		return r.Size
	}
	return r.Min
}

// fill counts all nodes.
func (g *gauge) fill(p *plant, t *tally) {
	g.sums, g.total = g.sums[:0], t.total
	if g.level == cluster && g.host == math.MaxInt32 && g.run == 1 {
		return
	}
	g.total = 0
	for range p.domains(g.level) {
		g.sums = append(g.sums, 0)
	}
	for i, n := range t.room {
		if n > 0 {
			g.sums[p.within(g.level, i)] += g.on(n)
		}
	}
	for _, n := range g.sums {
		g.total += g.in(n)
	}
}

// on is how much a host's room counts, and in how much a domain's.
func (g *gauge) on(room int32) int64 {
	n := min(room, g.host)
	if g.run > 1 {
		n -= n % g.run
	}
	return int64(n)
}

func (g *gauge) in(sum int64) int64 {
	switch {
	case g.spread:
		return min(sum, 1)
	case g.gang > 1:
		return sum - sum%g.gang
	}
	return sum
}

// change notes that the node at a position has another room.
func (g *gauge) change(p *plant, i int, was, is int32) {
	if len(g.sums) == 0 {
		g.total += int64(is - was)
		return
	}
	sum := &g.sums[p.within(g.level, i)]
	g.total -= g.in(*sum)
	*sum += g.on(is) - g.on(was)
	g.total += g.in(*sum)
}
