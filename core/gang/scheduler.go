package gang

import (
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// Scheduler is the state: nodes, and gangs that wait or run. It is not safe
// for concurrent use. Nothing it returns aliases its state.
type Scheduler struct {
	config Config
	now    int64
	lease  uint64 // last granted
	number uint64 // last given: of a gang, an arrival

	fleet     *place.Fleet
	nodes     []*node     // by place.Ref
	total     core.Vector // capacity of all nodes, up or not
	open      core.Vector // capacity of the nodes that take executors
	busy      core.Vector // that gangs hold
	described int         // nodes that said what they can hold
	topology  uint64      // changes with what the nodes are
	timed     bool        // some node has a deadline or is in quarantine
	tree      *queue.Tree
	gangs     map[ID]*member
	byNumber  map[uint64]*member // in line: finds the gang of an entry of the tree
	jobs      map[core.JobID]*job
	singles   map[single][]core.JobID // by arrival; the first may run
	early     map[ID]ElementsEnded    // of arrays that are not submitted yet
	dues      dues
	granted   holders
	repairs   []repair  // in the order in which they are to be served
	elastic   []*member // that hold nodes
	asides    asides
	licences  map[string]*licence
	asks      asks
	plan      plan
	promises  promises
	sought    place.Claim // by chooseAmong; here so that it need not be allocated
	wakes     wakes

	reserved     map[string]*reservation
	reservations []string // names, in order of arrival
	displacing   []displacement
	setbacks     map[uint64]setback // by member.kind
	evictions    []int64            // when gangs had to give way, of the last minute

	// fresh is what came into line since the last pass, and moved says that
	// what waited then may fit now.
	fresh []*member
	moved bool
	rest
	// refused is gangs that were given up, to be told of.
	refused []Refuse
}

// holders is the gangs that hold nodes, in an order that only the events
// decide.
type holders struct {
	list    []*member
	byQueue map[string][]*member // in such an order, too
	version uint64
}

func (h *holders) add(g *member) {
	h.version++
	h.list = append(h.list, g)
	g.holder = len(h.list)
	if h.byQueue == nil {
		h.byQueue = map[string][]*member{}
	}
	own := append(h.byQueue[g.queue], g)
	h.byQueue[g.queue], g.inQueue = own, len(own)
}

func (h *holders) remove(g *member) {
	h.version++
	last := h.list[len(h.list)-1]
	h.list[g.holder-1], last.holder = last, g.holder
	h.list[len(h.list)-1] = nil
	h.list, g.holder = h.list[:len(h.list)-1], 0
	own := h.byQueue[g.queue]
	last = own[len(own)-1]
	own[g.inQueue-1], last.inQueue = last, g.inQueue
	own[len(own)-1] = nil
	h.byQueue[g.queue], g.inQueue = own[:len(own)-1], 0
}

// phase is where a gang is in its life.
type phase string

const (
	held     phase = "held" // something other than room holds it back
	waiting  phase = "waiting"
	starting phase = "starting"
	running  phase = "running"
	leaving  phase = "leaving" // running, but told to give way
	expired  phase = "expired" // running past its walltime: Expire was sent
)

// member is a gang that the scheduler knows.
type member struct {
	*Request        // never changed: an array's elements and clones of the state share it
	job      *job   // see Scheduler.jobOf
	number   uint64 // also its arrival: less is earlier

	// Places in lists. They stand together at the front, as much else moves when
	// a gang enters or leaves one: a look at one line of the cache for each.
	duePlace int // in dues, from 1
	holder   int // in Scheduler.granted, from 1
	inQueue  int // in holders.byQueue, from 1
	inJob    int // in job.gangs, from 1
	aside    int // in asides.gangs, from 1

	ask       *ask        // what it asks for, shared with its like
	Gang      ID          // of an element its own, where the Request has its array's
	phase     phase       // where it is in its life
	lease     uint64      // 0 while waiting
	due       int64       // end of the start timeout, the notice or the walltime; 0 for none
	since     int64       // when it started; 0 before
	nodes     []place.Ref // by rank; nil while waiting
	lost      []bool      // by rank; nil while waiting
	roles     []int       // by rank; nil for a gang without roles
	laid      []run       // what nodes, roles and lost say; nil: not worked out
	sole      [1]run      // where laid stands for the one run of most gangs
	joined    []bool      // by rank, while starting
	queue     string      // that it is charged to
	shrink    *shrinking
	array     *array      // of an array as a whole
	whole     *member     // of an element: its array
	element   int         // its place in the array
	counted   core.Vector // what the queue was charged
	holding   core.Vector // what it holds
	isCharged bool

	gone     bool        // it was forgotten
	inLine   bool        // the tree has it
	promised bool        // it has a promise that binds others
	stuck    bool        // its planned start came, and no nodes were found
	aged     bool        // it was passed so often that it goes first
	latest   int64       // the start that binds others
	promise  int64       // the start that was quoted first; 0 for none
	planned  int64       // its start in the last plan
	booked   int64       // when there are nodes for it if it is stuck; 0 if that is not known
	class    uint64      // what makes it like others, see member.classNumber; 0 before it is in line
	count    int         // elements in line; 1 for a gang
	weight   int64       // its part of what waits: see backlog
	arrived  int64       // when it came into line first
	revokes  int         // starts in a row that came to nothing
	evicted  int         // times it had to give way
	tried    uint64      // attempt at displacing others
	avoid    []place.Ref // where starts went wrong
	target   int         // size it is to grow to
}

// job is what is known of a job beyond its gangs.
type job struct {
	id      core.JobID
	gangs   []*member  // that hold nodes, in no order
	first   [1]*member // where gangs stands for the one gang of most jobs
	ended   Ending
	waiters []*member // gangs held by a dependency on it
	single  *single   // the name of which it is one
	arrays  []*array
	// known says that it was more than the name in a dependency, forgotten that
	// nobody will ask about it any more.
	known, forgotten bool
	dropped          bool // Scheduler.jobs has it no more
	aside            int  // its place in asides.jobs, from 1
}

// add notes that g holds nodes.
func (j *job) add(g *member) {
	if j.gangs == nil {
		j.gangs = j.first[:0]
	}
	j.gangs = append(j.gangs, g)
	g.inJob = len(j.gangs)
}

// remove notes that g holds none any more.
func (j *job) remove(g *member) {
	end := len(j.gangs) - 1
	last := j.gangs[end]
	j.gangs[g.inJob-1], last.inJob = last, g.inJob
	j.gangs[end] = nil
	j.gangs, g.inJob = j.gangs[:end], 0
	if end == 0 {
		j.gangs, j.first[0] = nil, nil // very many jobs may be known that hold nothing
	}
}

// New returns a scheduler that knows no node and no gang.
func New(c Config) *Scheduler {
	c = c.withDefaults()
	s := &Scheduler{
		config: c, lease: c.Lease, fleet: place.NewFleet(), gangs: map[ID]*member{}, byNumber: map[uint64]*member{},
		jobs: map[core.JobID]*job{}, singles: map[single][]core.JobID{}, early: map[ID]ElementsEnded{}, licences: map[string]*licence{},
		asks: newAsks(), reserved: map[string]*reservation{}, setbacks: map[uint64]setback{},
	}
	tree, err := queue.New(c.Queues, s.fleet.Kinds())
	if err != nil {
		panic("gang: queues that were not checked: " + err.Error())
	}
	s.tree = tree
	return s
}

// CheckQueues reports what is wrong with a configuration of queues, as a
// *core.Error of kind Invalid that lists every fault.
func CheckQueues(c queue.Config) error {
	_, err := queue.New(c, new(core.Dimensions))
	return err
}

// Next is when the next Tick would change something, in Unix milliseconds; 0
// if only another event can.
func (s *Scheduler) Next() int64 {
	at := s.wakes.next()
	if len(s.dues) > 0 {
		at = earlier(s.dues[0].at, at)
	}
	if s.moved { // the last passes were not enough, or the next one has to rest
		at = earlier(max(s.now, s.rest.until), at)
	}
	return at
}

// passes bounds how often one step goes through the line: a gang that gives way
// at once makes room for another pass.
const passes = 4

// Step takes one event, changes the state and returns what to do.
func (s *Scheduler) Step(e Event) Result {
	s.now = max(s.now, e.at())
	var r Result
	subject := s.apply(e, &r)
	s.expire(&r)
	s.tellRefused(&r) // even if the next pass has to rest
	// While gangs are adopted, room may look free that the next of them holds.
	_, adopts := e.(Adopt)
	for range passes {
		if adopts || s.resting() {
			break
		}
		s.pass(&r)
		if s.tire(); !s.moved {
			break
		}
	}
	if s.config.Explain {
		if x := s.reasons(subject); x.Waits() {
			r.Explanations = append(r.Explanations, x)
		}
	}
	return r
}

// apply changes the state as e says and returns the gang it was about, if any.
func (s *Scheduler) apply(e Event, r *Result) ID {
	switch e := e.(type) {
	case Submit:
		s.submit(&e, r)
		return e.Request.Gang
	case Cancel:
		s.cancel(e, r)
	case MemberJoined:
		s.memberJoined(e)
	case Started:
		s.started(e, r)
	case StartFailed:
		return s.startFailed(e, r)
	case Release:
		s.release(e)
	case MemberLost:
		return s.memberLost(e, r)
	case MemberReplace:
		return s.memberReplace(e, r)
	case Adopt:
		s.adopt(e)
	case Resize:
		s.resize(e, r)
	case Shrunk:
		s.shrunk(e, r)
	case Tick:
	default:
		s.applyRest(e, r)
	}
	return ""
}

// applyRest is about what is not one gang.
func (s *Scheduler) applyRest(e Event, r *Result) {
	switch e := e.(type) {
	case NodeUp:
		s.nodeUp(e.Node)
	case NodeDown:
		s.nodeDown(e.ID, r)
	case NodeDrain:
		s.nodeDrain(e, r)
	case NodeClear:
		s.nodeClear(e.ID)
	case JobEnded:
		s.jobEnded(e)
	case JobForgotten:
		s.jobForgotten(e.Job)
	case ElementsEnded:
		s.elementsKnown(e)
	case Hold:
		s.hold(e)
	case Supply:
		s.supply(e)
	case Configure:
		s.configure(e)
	case Reserve:
		s.reserve(e)
	case Unreserve:
		s.unreserve(e.Name)
	}
}

// ordered is the gangs by ID.
func (s *Scheduler) ordered() []*member {
	out := make([]*member, 0, len(s.gangs))
	for _, id := range slices.Sorted(maps.Keys(s.gangs)) {
		out = append(out, s.gangs[id])
	}
	return out
}
