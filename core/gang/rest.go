package gang

import "github.com/capstan-run/capstan/core/place"

// rest spaces passes that are much work: the next comes the later the more the
// last one looked at, and sees to all that happened meanwhile. So a long line
// on a large cluster costs a bounded part of a core's time, however many events
// there are. A start may wait that long for its pass: some milliseconds with
// hundreds of gangs in line, up to about a tenth of a second with very many on a
// large cluster. The effort is counted, not timed, so that a log replays (law
// G3). What starts gangs is not counted: there is only so much room.
type rest struct {
	effort int   // of the pass underway: things looked at, of about 50 ns each
	until  int64 // when the next pass may begin
}

// restFor is the effort for which a millisecond has to pass before the next
// pass. At 50 ns a look that is a fifth of a core's time at the most.
const restFor = 4000

// What costs more than a look, in looks. All but trialCost, which is an estimate,
// are set from the CPU time that each place took, on an AMD EPYC of 2 cores under
// load: in random lives on 20 nodes and with large gangs on 2,000 to 100,000.
// What was measured is beside them.
const (
	headCost   = 70 // the first claim of a queue: 3.6 µs
	walkCost   = 80 // a class of claims in a walk: 2.5 to 6.6 µs
	trialCost  = 20 // a gang that could be displaced
	endCost    = 12 // a gang whose end is foreseen: 0.5 to 0.8 µs
	runCost    = 2  // a run of ranks in a future, and again for each ask that watches: 60 to 110 ns
	watchCost  = 20 // an ask that watches: 1.1 µs
	chooseCost = 10 // nodes looked for in vain
	limitCost  = 5  // a limit of those: 0.25 µs
	layCost    = 8  // a gang in a plan by walltimes, and one for each of its moments: 20 to 60 ns
	quoteCost  = 10 // a gang that could be promised a start: 0.03 to 0.7 µs

	nodesPerLook   = 4  // when nodes are looked for: 12 to 17 ns each
	watchedPerLook = 14 // when an ask begins to watch: 3.5 ns each
)

// choosing is what looking for nodes takes.
func (s *Scheduler) choosing(limits []place.Limit) int {
	return chooseCost + s.fleet.Len()/nodesPerLook + limitCost*len(limits)
}

// resting reports whether the pass that is due has to wait, and if so sees to
// it that it comes.
func (s *Scheduler) resting() bool {
	if s.now >= s.rest.until || !s.moved && len(s.fresh) == 0 {
		return false
	}
	s.wakes.add(s.rest.until)
	return true
}

// tired is the effort of the pass underway, wherever it was counted.
func (s *Scheduler) tired() int { return s.effort + s.promises.effort + s.promises.supply.effort }

// tire notes what the pass took.
func (s *Scheduler) tire() {
	s.rest.until = max(s.rest.until, s.now+int64(s.tired()/restFor))
	s.effort, s.promises.effort, s.promises.supply.effort = 0, 0, 0
}
