package simulate

import (
	"math"
	"math/bits"
)

// halfLife is after how long use in the past counts half.
const halfLife = 24 * 3600 * 1000

// perHalfLife is how many steps the decay of one half-life takes.
const perHalfLife = 64

// usage is what each user has used, in milli-CPU milliseconds, with what is
// long ago counting less. It decays by steps on a grid of times, so that it
// does not matter how often somebody looks.
type usage struct {
	step   int64 // of the grid
	users  map[string]int64
	factor [perHalfLife]uint64 // 2^(-i/perHalfLife) in 64-bit fixed point
}

func newUsage(now int64) usage {
	u := usage{step: now / (halfLife / perHalfLife), users: map[string]int64{}}
	for i := 1; i < perHalfLife; i++ {
		u.factor[i] = uint64(math.Ldexp(math.Exp2(-float64(i)/perHalfLife), 63)) << 1
	}
	return u
}

// add charges user with width from one time to a later one.
func (u *usage) add(user string, from, to, width int64) {
	u.decay(from)
	u.users[user] += (to - from) * width
}

// of is what user has used.
func (u *usage) of(user string, now int64) int64 {
	u.decay(now)
	return u.users[user]
}

// decay brings all users to the step of now.
func (u *usage) decay(now int64) {
	step := now / (halfLife / perHalfLife)
	n := step - u.step
	if n <= 0 {
		return
	}
	u.step = step
	for user, v := range u.users {
		if i := n % perHalfLife; i > 0 {
			high, _ := bits.Mul64(uint64(v), u.factor[i])
			v = int64(high)
		}
		u.users[user] = v >> min(63, n/perHalfLife)
	}
}
