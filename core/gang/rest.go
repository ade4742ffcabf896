package gang

// rest spaces passes that are much work: the next comes the later the more the
// last one looked at, and sees to all that happened meanwhile. So a long line
// on a large cluster costs a bounded part of a core's time, however many events
// there are. A start may wait that long for its pass: some milliseconds with
// hundreds of gangs in line, up to about a tenth of a second with very many on a
// large cluster. The effort is counted, not timed, so that a log replays (law
// G3); the costs are estimates.
type rest struct {
	effort int   // of the pass underway: things looked at, of about 50 ns each
	until  int64 // when the next pass may begin
}

// restFor is the effort for which a millisecond has to pass before the next
// pass. At 50 ns a look that is a fifth of a core's time at the most.
const restFor = 4000

// What costs more than a look, in looks.
const (
	headCost   = 40 // the first claim of a queue
	walkCost   = 60 // a class of claims in a walk
	trialCost  = 20 // a gang that could be displaced
	momentCost = 8  // a moment of a plan by nodes
	layCost    = 8  // a gang in a plan by walltimes
	quoteCost  = 10 // a gang that could be promised a start
)

// resting reports whether the pass that is due has to wait, and if so sees to
// it that it comes.
func (s *Scheduler) resting() bool {
	if s.now >= s.rest.until || !s.moved && len(s.fresh) == 0 {
		return false
	}
	s.wakes.add(s.rest.until)
	return true
}

// tire notes what the pass took.
func (s *Scheduler) tire() {
	s.rest.until = max(s.rest.until, s.now+int64((s.effort+s.promises.effort)/restFor))
	s.effort, s.promises.effort = 0, 0
}
