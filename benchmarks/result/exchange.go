package result

import (
	"fmt"
	"strings"
)

func (r *Result) judgeExchange() []Verdict {
	var v []Verdict
	groups := r.Groups(Exchange)
	for _, g := range groups {
		if mb := g.Rate.Median; g.Series == FileExchange || g.Series == ArenaExchange || g.Series == MemoryExchange {
			v = append(v, Verdict{"Local " + g.Series + ", 200 partitions", "≥ 1000 MB per CPU-second", fmt.Sprintf("%.0f MB per CPU-second", mb), mb >= 1000})
		}
	}
	for _, g := range groups {
		wide := g.Key
		wide.Series = Wide(g.Series)
		if times := r.ratio(wide, g.Key, func(s Sample) float64 { return s.CPU }); times > 0 {
			v = append(v, Verdict{"Cost of 2000 partitions over that of 200, " + g.Series, "≤ 1.3×", fmt.Sprintf("%.2f×", times), times <= 1.3})
		}
	}
	for _, g := range groups {
		switch {
		case g.Series == DiskExchange:
			v = append(v, r.judgeDisk(g.Key)...)
		case g.Series == Shuffle:
			v = append(v, r.judgeShuffle(g.Key)...)
		case strings.HasSuffix(g.Series, "waves"):
			v = append(v, r.judgeRequests(g.Key))
		}
	}
	return v
}

// judgeDisk holds an exchange beyond its budget against the bare disk, which
// did as much in the same round.
func (r *Result) judgeDisk(ours Key) []Verdict {
	var v []Verdict
	for _, raw := range []string{RawDisk, RawDevice} {
		key := ours
		key.Series = raw
		if share := r.times(key, ours); share > 0 {
			v = append(v, Verdict{"Speed of the " + ours.Series + ", over that of " + raw, "≥ 85 %", fmt.Sprintf("%.0f %%", 100*share), share >= 0.85})
		}
	}
	return v
}

// judgeShuffle holds a shuffle against the faster of Spark's.
func (r *Result) judgeShuffle(ours Key) []Verdict {
	best := 0.0
	for _, series := range []string{SparkRDDShuffle, SparkFrameShuffle} {
		theirs := ours
		theirs.Series = series
		if times := r.times(theirs, ours); times > 0 && (best == 0 || times < best) {
			best = times
		}
	}
	if best == 0 {
		return nil
	}
	return []Verdict{{"Wall time of Spark's shuffle, its fastest round, over ours, " + Size(ours.Bytes), "≥ 5×", fmt.Sprintf("%.1f×", best), best >= 5}}
}

// judgeRequests is for the most of all repetitions.
func (r *Result) judgeRequests(k Key) Verdict {
	var worst Sample
	for _, s := range r.Samples {
		if s.Key == k && s.Count >= worst.Count {
			worst = s
		}
	}
	return Verdict{k.Series + ", " + Size(k.Bytes), fmt.Sprintf("≤ %.0f", worst.Limit), fmt.Sprintf("%.0f", worst.Count), worst.Count <= worst.Limit}
}
