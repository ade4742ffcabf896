package gang

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/queue"
)

// Event is something that happened: one of the types below. Now is in Unix
// milliseconds; a time before the last one counts as the last one. Events
// about gangs, leases or nodes that are not known are ignored, so that late
// and repeated ones do no harm.
//
// Where Lease may be 0, that is whatever lease the gang holds: for who cannot be
// late, and for logs of a time when these events had none.
type Event interface{ at() int64 }

// NodeUp adds a node, brings one back, or changes what is known of it. What is
// granted on it already stays granted. A drain stays in force.
type NodeUp struct {
	Now  int64
	Node core.Node
}

// NodeDown says that a node and whatever ran on it are gone. Gangs that were
// starting there are revoked; running ones lose the ranks (see Lost).
type NodeDown struct {
	Now int64
	ID  core.NodeID
}

// NodeDrain stops (or with Drain false resumes) new placements on a node. What
// runs there goes on, until the deadline if there is one: gangs that may be
// restarted get notice at once (GiveWay), and at the deadline whatever is left
// on the node moves away, as if the node had gone down.
type NodeDrain struct {
	Now   int64
	ID    core.NodeID
	Drain bool
	Until int64 // deadline; 0 for none
}

// NodeClear ends a node's quarantine: see Config.Strikes.
type NodeClear struct {
	Now int64
	ID  core.NodeID
}

// Submit asks for a gang. It is ignored if the gang waits or runs already.
type Submit struct {
	Now     int64
	Request Request
	// Again says that an earlier life of the host had accepted it: it waits for
	// nodes that are not back yet, and in queues that may hold less by now,
	// rather than being refused.
	Again bool `json:",omitempty"`
}

// Cancel ends a gang in any state, an array with all its elements, or one
// element that waits or runs: Revoke answers for what held anything. For a gentle
// end the host lets the gang finish and sends Release.
type Cancel struct {
	Now    int64
	Gang   ID
	Reason string // default "cancelled"
}

// MemberJoined says that one executor of a granted gang is up. If the start
// times out, the next placement avoids the nodes of those that are not.
type MemberJoined struct {
	Now   int64
	Gang  ID
	Lease uint64
	Rank  int
}

// Started says that all executors of a granted gang have joined. The walltime
// begins.
type Started struct {
	Now   int64
	Gang  ID
	Lease uint64
}

// StartFailed says that a granted gang will not come up. Revoke answers; the
// gang's next placement avoids Node if it can.
type StartFailed struct {
	Now    int64
	Gang   ID
	Lease  uint64
	Node   core.NodeID // where it went wrong; may be empty
	Reason string
}

// Release says that a gang has ended and its executors are gone, of an array
// those of all its elements. For an element of an array, Ended says how, for
// those that wait for that element; Unsaid sends it back to run again.
type Release struct {
	Now   int64
	Gang  ID
	Lease uint64 `json:",omitempty"` // 0: the gang goes, also one that waits
	Ended Ending
}

// Ending is how a job, or an element of an array, ended.
type Ending string

const (
	Unsaid Ending = "" // nobody depends on it, or it will run again
	OK     Ending = "ok"
	Failed Ending = "failed"
)

// JobEnded says how a job ended, after all its attempts. It may come before
// anything else is known of the job: what waits for a job that ended in an
// earlier life learns it so.
type JobEnded struct {
	Now   int64
	Job   core.JobID
	Ended Ending // OK or Failed
}

// ElementsEnded says which elements of an array ended in an earlier life of the
// host, by their indexes. It comes before the array's Submit, as does the
// adoption of the elements that run; those that are granted by then are not
// taken back.
//
// Over is the array's indexes where the whole of it has ended: no Submit will
// come, and what waits for its elements learns how they ended. The JobEnded of
// its job comes after it.
type ElementsEnded struct {
	Now        int64
	Gang       ID
	OK, Failed []core.ArrayRange
	Over       *core.Array `json:",omitempty"`
}

// JobForgotten says that nothing will be asked about an ended job any more.
type JobForgotten struct {
	Now int64
	Job core.JobID
}

// Hold holds back what waits of a job, or lets it go.
type Hold struct {
	Now  int64
	Job  core.JobID
	Hold bool
}

// Resize asks for another size of an elastic gang, between its Min and Max.
// Shrink answers for what it has too many of, Grow when there is room for more.
type Resize struct {
	Now  int64
	Gang ID
	Size int
}

// Shrunk says that ranks which a Shrink named are gone.
type Shrunk struct {
	Now   int64
	Gang  ID
	Lease uint64 `json:",omitempty"` // may be 0
	Ranks []int
}

// Supply says how many of each licence the cluster has. What is not named has
// none.
type Supply struct {
	Now      int64
	Licences map[string]int64
}

// Configure replaces the queues.
type Configure struct {
	Now    int64
	Queues queue.Config
}

// Reserve keeps nodes for the holders of a reservation in advance, from Start
// to End: no gang that could still run then is placed on them but those whose
// request names it.
type Reserve struct {
	Now        int64
	Name       string
	Start, End int64
	Nodes      []core.NodeID
}

// Unreserve ends a reservation in advance.
type Unreserve struct {
	Now  int64
	Name string
}

// MemberLost says that a rank of a running gang is gone and that nobody asks
// for a new one yet. What it held is free for others; the gang goes on with a
// hole. For a gang that is still starting it is a StartFailed.
type MemberLost struct {
	Now    int64
	Gang   ID
	Lease  uint64 `json:",omitempty"` // may be 0
	Rank   int
	Reason string
}

// MemberReplace says that a rank of a running gang is gone, if that was not
// said before, and asks for a new executor: Replace answers, now or when there
// is room. Repairs outrank fresh gangs; to keep the room of the old executor
// for the new one, send this instead of a MemberLost, not after it. If the
// replacement comes to nothing send it again.
type MemberReplace struct {
	Now   int64
	Gang  ID
	Lease uint64 `json:",omitempty"` // may be 0
	Rank  int
}

// Tick lets time pass: see Scheduler.Next.
type Tick struct{ Now int64 }

// Adopt puts a gang back that a former life of the host had granted. It is
// not questioned: nodes that are not known yet are expected to come up. Nothing
// is placed before another event than an Adopt comes, so they come in a row.
type Adopt struct {
	Now       int64
	Request   Request
	Lease     uint64
	Placement []core.NodeID // by rank
	Lost      []int         // ranks that are gone
	// Roles is the role of each rank, an index into the request's; nil if it
	// has none.
	Roles []int
	// Since is when the gang had started; 0 if it is starting, and then its
	// start timeout begins anew.
	Since int64
}

func (e NodeUp) at() int64        { return e.Now }
func (e NodeDown) at() int64      { return e.Now }
func (e NodeDrain) at() int64     { return e.Now }
func (e NodeClear) at() int64     { return e.Now }
func (e JobEnded) at() int64      { return e.Now }
func (e ElementsEnded) at() int64 { return e.Now }
func (e JobForgotten) at() int64  { return e.Now }
func (e Hold) at() int64          { return e.Now }
func (e Resize) at() int64        { return e.Now }
func (e Shrunk) at() int64        { return e.Now }
func (e Supply) at() int64        { return e.Now }
func (e Configure) at() int64     { return e.Now }
func (e Reserve) at() int64       { return e.Now }
func (e Unreserve) at() int64     { return e.Now }
func (e Submit) at() int64        { return e.Now }
func (e Cancel) at() int64        { return e.Now }
func (e MemberJoined) at() int64  { return e.Now }
func (e Started) at() int64       { return e.Now }
func (e StartFailed) at() int64   { return e.Now }
func (e Release) at() int64       { return e.Now }
func (e MemberLost) at() int64    { return e.Now }
func (e MemberReplace) at() int64 { return e.Now }
func (e Tick) at() int64          { return e.Now }
func (e Adopt) at() int64         { return e.Now }
