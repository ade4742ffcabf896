package gang

import "github.com/capstan-run/capstan/core"

// Event is something that happened: one of the types below. Now is in Unix
// milliseconds; a time before the last one counts as the last one. Events
// about gangs, leases or nodes that are not known are ignored, so that late
// and repeated ones do no harm.
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
// runs there goes on.
type NodeDrain struct {
	Now   int64
	ID    core.NodeID
	Drain bool
}

// Submit asks for a gang. It is ignored if the gang waits or runs already.
type Submit struct {
	Now     int64
	Request Request
}

// Cancel ends a gang in any state: Revoke answers if it held anything. For a
// gentle end the host lets the gang finish and sends Release.
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

// Release says that a gang has ended and its executors are gone.
type Release struct {
	Now  int64
	Gang ID
}

// MemberLost says that a rank of a running gang is gone and that nobody asks
// for a new one yet. What it held is free for others; the gang goes on with a
// hole. For a gang that is still starting it is a StartFailed.
type MemberLost struct {
	Now    int64
	Gang   ID
	Rank   int
	Reason string
}

// MemberReplace says that a rank of a running gang is gone, if that was not
// said before, and asks for a new executor: Replace answers, now or when there
// is room. Repairs outrank fresh gangs; to keep the room of the old executor
// for the new one, send this instead of a MemberLost, not after it. If the
// replacement comes to nothing send it again.
type MemberReplace struct {
	Now  int64
	Gang ID
	Rank int
}

// Tick lets time pass: see Scheduler.Next.
type Tick struct{ Now int64 }

// Adopt puts a gang back that a former life of the host had granted. It is
// not questioned: nodes that are not known yet are expected to come up.
type Adopt struct {
	Now       int64
	Request   Request
	Lease     uint64
	Placement []core.NodeID // by rank
	Lost      []int         // ranks that are gone
	// Since is when the gang had started; 0 if it is starting, and then its
	// start timeout begins anew.
	Since int64
}

func (e NodeUp) at() int64        { return e.Now }
func (e NodeDown) at() int64      { return e.Now }
func (e NodeDrain) at() int64     { return e.Now }
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
