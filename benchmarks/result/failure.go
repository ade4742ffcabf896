package result

import "fmt"

// judgeSkew holds rows of which half are in one place against the same job over
// as many rows of as many keys.
func (r *Result) judgeSkew() []Verdict {
	var v []Verdict
	for _, g := range r.Groups(Skew) {
		even := g.Key
		switch g.Series {
		case HotKey:
			even.Series = EvenKeys
		case HotGroup:
			even.Series = EvenGroups
		default:
			continue
		}
		if times := r.times(g.Key, even); times > 0 {
			v = append(v, Verdict{"Sum with " + g.Series + " over the even case, " + where(g.Key), "≤ 1.5×", fmt.Sprintf("%.2f×", times), times <= 1.5})
		}
	}
	return v
}

// judgeKill holds a job that lost an executor against the same job of the same
// repetition that lost none.
func (r *Result) judgeKill() []Verdict {
	var v []Verdict
	for _, g := range r.Groups(Kill) {
		whole := g.Key
		switch g.Series {
		case KilledMapping, KilledReducing:
			whole.Series = Undisturbed
		case Warm(KilledMapping), Warm(KilledReducing):
			whole.Series = Warm(Undisturbed)
		default:
			continue
		}
		most := 1.25 * (1 + 1/float64(g.Executors))
		if times := r.times(g.Key, whole); times > 0 {
			v = append(v, Verdict{"Sort with " + g.Series + " over the undisturbed one, " + where(g.Key), fmt.Sprintf("≤ %.2f×", most),
				fmt.Sprintf("%.2f×", times), times <= most})
		}
	}
	return v
}

func where(k Key) string { return fmt.Sprintf("%s × %d, %s", k.Launcher, k.Executors, Size(k.Bytes)) }
