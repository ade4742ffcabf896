package queue

import "math/bits"

// The history of a node is an average of its share of each resource, in which
// a moment counts half as much for each half-life that it lies back:
//
//	past(t) = ∫ share(s) · 2^-((t-s)/HalfLife) ds · ln 2 / HalfLife
//
// It is brought up to date 64 times in a half-life, at multiples of a step, so
// that between them keys change only with what runs. Numbers are fixed point
// with pastBits bits; each update rounds down, so that history forgets at most
// 2^-32 of the cluster too much each step.
const (
	pastBits    = 32
	perHalfLife = 64
	// fade is 2^(-1/64) in units of 2^-32: what is left after one step.
	fade = 4248701965
)

// stepLength is in milliseconds.
func (t *Tree) stepLength() int64 { return max(1, t.cfg.HalfLife/perHalfLife) }

// Advance sets the time, Unix milliseconds. Time does not go back.
func (t *Tree) Advance(now int64) {
	if now <= t.now {
		return
	}
	if t.cfg.HalfLife <= 0 {
		t.now = now
		return
	}
	length := t.stepLength()
	to := now / length
	if to > t.step {
		for i := range t.nodes {
			t.remember(int32(i), to, length)
		}
		t.step, t.stale = to, true
		t.forget()
	}
	t.now = now
}

// accrue sums up the share of node i until now, before it changes.
func (t *Tree) accrue(i int32) {
	n := &t.nodes[i]
	if n.at < t.now {
		for d := range t.width {
			n.area[d] += t.pastShare(n, d) * uint64(t.now-n.at)
		}
	}
	n.at = t.now
}

func (t *Tree) pastShare(n *node, d int) uint64 {
	const half = 1 << (unitBits - pastBits - 1)
	return (min(t.share(n.used[d], d), unit) + half) >> (unitBits - pastBits)
}

// remember brings the history of node i to the beginning of step to.
func (t *Tree) remember(i int32, to, length int64) {
	n := &t.nodes[i]
	first := (t.step + 1) * length // where the step underway ends
	for d := range t.width {
		share := t.pastShare(n, d)
		area := n.area[d] + share*uint64(max(0, first-max(n.at, t.step*length)))
		n.past[d] = blend(n.past[d], area/uint64(length), fade)
		if more := to - t.step - 1; more > 0 {
			n.past[d] = blend(n.past[d], share, power(fade, more))
		}
		n.area[d] = 0
	}
	n.at = to * length
}

// blend is old·f + new·(1-f), with f in units of 2^-32.
func blend(old, new, f uint64) uint64 {
	if old >= new {
		return new + mul32(old-new, f)
	}
	return new - mul32(new-old, f)
}

// mul32 is a·f rounded down, with f in units of 2^-32.
func mul32(a, f uint64) uint64 {
	hi, lo := bits.Mul64(a, f)
	return hi<<32 | lo>>32
}

// power is f^n in units of 2^-32.
func power(f uint64, n int64) uint64 {
	r := uint64(1 << 32)
	for ; n > 0 && r > 0; n >>= 1 {
		if n&1 == 1 {
			r = mul32(r, f)
		}
		f = mul32(f, f)
	}
	return r
}

// forget drops the nodes of users who have nothing, not even a past.
func (t *Tree) forget() {
	for i := t.queues; i < len(t.nodes); i++ {
		if n := &t.nodes[i]; n.line != nil && n.idle(t.width) {
			delete(t.members, accountOf(n.parent, n.user))
			t.nodes[i] = newNode("", none, nil)
			t.free = append(t.free, int32(i))
		}
	}
}

func (n *node) idle(width int) bool {
	for d := range width {
		if n.used[d] != 0 || n.past[d] != 0 {
			return false
		}
	}
	return n.pending == 0 && n.running == 0
}

// settleHistory sums up all shares before the cluster changes.
func (t *Tree) settleHistory() {
	if t.cfg.HalfLife > 0 {
		for i := range t.nodes {
			t.accrue(int32(i))
		}
	}
}
