package queue

// Lets reports whether no quota or limit stands in the way of one gang of c: it
// is Admits without the reasons, and so quicker.
func (t *Tree) Lets(c Claim) bool {
	if c.Repair {
		return true
	}
	queue, err := t.find(c.Queue)
	if err != nil || !t.nodes[queue].rules.bound {
		return true
	}
	user, ok := t.known[c.User]
	if !ok {
		user = none
	}
	return probe{t: t, queue: queue, user: user, need: &c.Need}.run(stop)
}
