package queue

import (
	"math/bits"

	"github.com/capstan-run/capstan/core"
)

// Charge notes that c.Count gangs as c asks for run now, beyond what a walk
// granted: those found again after a restart. No limit is held against it.
func (t *Tree) Charge(c Claim) error {
	queue, err := t.find(c.Queue)
	if err != nil {
		return err
	}
	n := max(c.Count, 1)
	t.charge(queue, t.userNumber(c.User), c.Need.Times(int64(n)), n)
	return nil
}

// Refund notes that c.Count gangs that were charged as c hold nothing any more.
func (t *Tree) Refund(c Claim) {
	if queue, err := t.find(c.Queue); err == nil {
		n := max(c.Count, 1)
		t.charge(queue, t.userNumber(c.User), core.Vector{}.Sub(c.Need.Times(int64(n))), -n)
	}
}

// Resize notes that a gang that was charged as c holds by more than before, or
// less. c.Need is not looked at.
func (t *Tree) Resize(c Claim, by core.Vector) {
	if queue, err := t.find(c.Queue); err == nil {
		t.charge(queue, t.userNumber(c.User), by, 0)
	}
}

// charge adds v and n running gangs to what a user has in a queue.
func (t *Tree) charge(queue, user int32, v core.Vector, n int) {
	t.widen(&v)
	t.draw(queue, &v)
	for i := t.holder(queue, user); i != none; i = t.nodes[i].parent {
		m := &t.nodes[i]
		if t.cfg.HalfLife > 0 {
			t.accrue(i)
		}
		m.running += n
		for d := range t.width {
			m.used[d] += v[d]
		}
		if !t.stale && i != root {
			t.rekey(i)
			t.place(m, i)
		}
	}
	t.book(queue, user, &v, n)
}

// book adds to the accounts of a user, in the queue and in those above it that
// limit users.
func (t *Tree) book(queue, user int32, v *core.Vector, n int) {
	for i := queue; i != none; i = t.nodes[i].parent {
		if i != queue && !t.nodes[i].users {
			continue
		}
		b := t.balance(accountOf(i, user))
		b.running += n
		for d := range t.width {
			b.used[d] += v[d]
		}
	}
}

// balance is the state of an account, which is made if there is none. To keep
// the number of idle ones in bounds, they are dropped when there are as many
// as there were others the last time.
func (t *Tree) balance(k account) *balance {
	b := t.accounts[k]
	if b != nil {
		return b
	}
	if len(t.accounts) >= t.sweep {
		for k, b := range t.accounts {
			if *b == (balance{}) {
				delete(t.accounts, k)
			}
		}
		t.sweep = max(1024, 2*len(t.accounts))
	}
	b = &balance{}
	t.accounts[k] = b
	return b
}

func (r *rules) limitsUsers() bool { return r.maxUser.has != 0 || r.MaxPerUser > 0 }

// draw takes v from the quotas: first what the queue keeps for itself, then its
// parent's, and so on up.
func (t *Tree) draw(queue int32, v *core.Vector) {
	draws := t.nodes[queue].rules.draws
	for d := range t.width {
		if draws>>d&1 == 0 {
			continue
		}
		more := v[d]
		for i := queue; more != 0 && i != none; i = t.nodes[i].parent {
			n := &t.nodes[i]
			before := n.fromParent(d)
			n.drawn[d] += more
			more = n.fromParent(d) - before
		}
	}
}

// unit is the share of a whole cluster.
const unit = 1 << unitBits

const unitBits = 60

// scale turns amounts of a resource into shares without a division:
// share = amount · factor / 2^shift.
type scale struct {
	factor uint64 // 0 if the cluster has nothing of it
	shift  uint8
}

func scaleOf(total int64) scale {
	if total <= 0 {
		return scale{}
	}
	// With 2^(n-1) <= total < 2^n, the factor is between 2^62 and 2^63.
	n := bits.Len64(uint64(total))
	hi, lo := uint64(0), uint64(1)<<63
	if n > 1 {
		hi, lo = 1<<(n-2), 0
	}
	f, _ := bits.Div64(hi, lo, uint64(total))
	return scale{f, uint8(n + 62 - unitBits)}
}

// share is used as a part of the cluster, in units of 2^-60, at most 2. It is
// at most one unit too small.
func (t *Tree) share(used int64, d int) uint64 {
	if used <= 0 {
		return 0
	}
	s := t.scales[d]
	if s.factor == 0 || used >= 2*t.total[d] {
		return 2 * unit
	}
	hi, lo := bits.Mul64(uint64(used), s.factor)
	return hi<<(64-s.shift) | lo>>s.shift
}

// beyond is the bit of a key that says that nothing of the quota is left.
const beyond = 1 << 63

// rekey works out the standing of node i among its siblings: its share, now
// and in the past, by weight; but whoever has something left of a quota goes
// before whoever has not. Shares are rounded to 2^-40, so that those that are
// equal but for the rounding before are equal.
func (t *Tree) rekey(i int32) {
	n := &t.nodes[i]
	for d := range t.width {
		key := t.share(n.used[d], d) + n.past[d]<<(unitBits-pastBits)
		if n.weight != 1 {
			key /= n.weight
		}
		key = (key + 1<<19) >> 20
		if n.entitled>>d&1 == 0 || n.used[d] >= n.rules.deserves[d] {
			key |= beyond
		}
		n.key[d] = key
	}
}
