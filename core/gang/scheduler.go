package gang

import (
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/queue"
)

// Scheduler is the state: nodes, and gangs that wait or run. It is not safe
// for concurrent use. Nothing it returns aliases its state.
type Scheduler struct {
	config  Config
	now     int64
	lease   uint64 // last granted
	arrival uint64 // last given

	fleet fleet
	gangs map[ID]*member
	line  queue.Line
	dues  dues

	// stuck is the entry that waited for room when the line was last walked.
	// Until something frees room (moved) it waits still.
	stuck *queue.Entry
	moved bool
}

// phase is where a gang is in its life.
type phase string

const (
	waiting  phase = "waiting"
	starting phase = "starting"
	running  phase = "running"
	expired  phase = "expired" // running past its walltime: Expire was sent
)

// member is a gang that the scheduler knows.
type member struct {
	Request
	phase   phase
	arrival uint64
	lease   uint64        // 0 while waiting
	nodes   []core.NodeID // by rank; nil while waiting
	lost    []bool        // by rank; nil while waiting
	joined  []bool        // by rank, while starting
	due     int64         // end of the start timeout or the walltime; 0 for none
	since   int64         // when it started; 0 before
	revokes int           // in a row
	avoid   []core.NodeID // where starts went wrong
}

// New returns a scheduler that knows no node and no gang.
func New(c Config) *Scheduler {
	c = c.withDefaults()
	return &Scheduler{config: c, lease: c.Lease, fleet: newFleet(), gangs: map[ID]*member{}}
}

// Clone returns a scheduler that shares nothing with s: for asking what if.
func (s *Scheduler) Clone() *Scheduler {
	c := *s
	c.fleet = s.fleet.clone()
	c.gangs = make(map[ID]*member, len(s.gangs))
	for id, g := range s.gangs {
		v := *g
		v.nodes, v.lost, v.avoid = slices.Clone(g.nodes), slices.Clone(g.lost), slices.Clone(g.avoid)
		v.joined = slices.Clone(g.joined)
		c.gangs[id] = &v
	}
	c.line = s.line.Clone()
	c.dues = slices.Clone(s.dues)
	return &c
}

// Next is when the next Tick would change something, in Unix milliseconds; 0
// if only another event can.
func (s *Scheduler) Next() int64 {
	if len(s.dues) == 0 {
		return 0
	}
	return s.dues[0].at
}

// Step takes one event, changes the state and returns what to do.
func (s *Scheduler) Step(e Event) Result {
	s.now = max(s.now, e.at())
	var r Result
	subject := s.apply(e, &r)
	s.expire(&r)
	s.walk(&r)
	if x := s.Why(subject); x.Waits() {
		r.Explanations = append(r.Explanations, x)
	}
	return r
}

// apply changes the state as e says and returns the gang it was about, if any.
func (s *Scheduler) apply(e Event, r *Result) ID {
	switch e := e.(type) {
	case NodeUp:
		s.fleet.up(e.Node)
		s.moved = true
	case NodeDown:
		s.nodeDown(e.ID, r)
	case NodeDrain:
		s.fleet.drain(e.ID, e.Drain)
		s.moved = true
	case Submit:
		s.submit(e.Request, r)
		return e.Request.Gang
	case Cancel:
		s.cancel(e, r)
	case MemberJoined:
		s.memberJoined(e)
	case Started:
		s.started(e)
	case StartFailed:
		return s.startFailed(e, r)
	case Release:
		s.release(e.Gang)
	case MemberLost:
		return s.memberLost(e, r)
	case MemberReplace:
		return s.memberReplace(e)
	case Adopt:
		s.adopt(e)
	case Tick:
	}
	return ""
}

// ordered is the gangs by ID.
func (s *Scheduler) ordered() []*member {
	out := make([]*member, 0, len(s.gangs))
	for _, id := range slices.Sorted(maps.Keys(s.gangs)) {
		out = append(out, s.gangs[id])
	}
	return out
}
