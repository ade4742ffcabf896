package gang

// backlog is how much work waits, in thousandths of a core times seconds, and the
// most that ever did. It is what a load is measured by: what is much to be passed
// by where an hour's work waits is nothing where a week's does.
type backlog struct {
	sum   int64
	peak  int64
	since int64 // when it was so much, or was halved last
}

// memory is after how long the most that ever waited counts half, so that one
// day's flood does not set the measure for ever. In milliseconds: four weeks.
const memory = 4 * 7 * 24 * 3600_000

// most is the most that waited until now.
func (b *backlog) most(now int64) int64 {
	if n := (now - b.since) / memory; n > 0 {
		b.peak >>= min(n, 63)
		b.since += n * memory
	}
	if b.sum >= b.peak {
		b.peak, b.since = b.sum, now
	}
	return b.peak
}

// The most that is counted of one gang's cores, seconds and work, so that sums
// stay in their bounds whatever is asked for.
const (
	mostCores   = 1 << 36
	mostSeconds = 1 << 26
	mostWork    = 1 << 42
)

// work is what g will do, as far as that is foreseen; of an array, one element.
func (g *member) work() int64 {
	seconds := min(orElse(g.Predicted, g.Walltime)/1000, mostSeconds)
	return min(min(g.ask.need[0], mostCores)*seconds, mostWork)
}

// weigh counts what g waits with, now that it came into line, or left it.
func (p *promises) weigh(g *member) {
	weight := int64(0)
	if g.inLine {
		weight = g.work() * int64(g.count)
	}
	p.line.sum += weight - g.weight
	g.weight = weight
}
