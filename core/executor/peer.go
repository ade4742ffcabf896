package executor

import (
	"crypto/subtle"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/wirepb"
)

// peer is what a server knows of one executor.
type peer struct {
	id string

	// deliver is held while the Handler is called, so that a session that
	// replaces another keeps the order. It is taken before mu.
	deliver sync.Mutex

	mu         sync.Mutex
	rank       core.Rank // the place it was given; zero while warm
	ticket     *ticket
	assign     string // token to tell a warm executor
	started    bool
	generation int64
	stop       *wirepb.Stop
	out        outbox[*wirepb.Message]
	lastUp     uint64 // highest Up.seq delivered
	session    *session
	joined     bool // had a session, or a restarted host knows that it had
	ended      bool
	off        bool // fenced or forgotten
	seen       time.Time
}

// ticket is a token that may still be redeemed.
type ticket struct {
	hash       [32]byte
	assignment *wirepb.Assignment
	warm       bool     // only its warm executor may redeem it
	key        [32]byte // of the request that redeemed it
	used       bool
}

func placeOf(a *wirepb.Assignment) core.Rank {
	if a == nil {
		return core.Rank{}
	}
	return core.Rank{Job: core.JobID(a.Job), Epoch: core.Epoch(a.Epoch), Gang: a.Gang, Rank: int(a.Rank)}
}

var (
	errToken    = status.Error(codes.Unauthenticated, "the token is not known, or was used")
	errCutOff   = status.Error(codes.PermissionDenied, "the executor is fenced")
	errPlace    = status.Error(codes.PermissionDenied, "the certificate is for another place")
	errReplaced = status.Error(codes.Aborted, "a newer session took over")
	errSequence = status.Error(codes.DataLoss, "a numbered message is missing")
	errClosing  = status.Error(codes.Unavailable, "the host ends")
)

// redeem trades a ticket for the identity it stands for. The same key may
// redeem it again, for the answer may have been lost; another key may not
// (law E1). caller is the id of the connection's certificate, if any.
func (p *peer) redeem(hash, key [32]byte, caller string) (identity, *wirepb.Assignment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.ticket
	switch {
	case p.off:
		return identity{}, nil, errCutOff
	case t == nil || subtle.ConstantTimeCompare(t.hash[:], hash[:]) != 1:
		return identity{}, nil, errToken
	case t.warm && caller != p.id:
		return identity{}, nil, errToken
	case t.used && subtle.ConstantTimeCompare(t.key[:], key[:]) != 1:
		return identity{}, nil, errToken
	}
	t.used, t.key = true, key
	p.rank = placeOf(t.assignment)
	return identity{id: p.id, rank: p.rank}, t.assignment, nil
}

// session is one opened stream.
type session struct {
	cut  chan struct{} // closed to end it
	why  error         // set before cut is closed
	wake chan struct{} // something may be there to send
	told struct {
		assign, started, stop bool
		generation            int64
		ack                   uint64
	}
}

func newSession() *session {
	return &session{cut: make(chan struct{}), wake: make(chan struct{}, 1)}
}

func (s *session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (p *peer) wakeLocked() {
	if p.session != nil {
		p.session.nudge()
	}
}

// endLocked ends the session in force, if any.
func (p *peer) endLocked(why error) {
	if p.session == nil {
		return
	}
	p.session.why = why
	close(p.session.cut)
	p.session = nil
}

// attach makes s the session in force. It returns the welcome and the ticket
// that is spent by it.
func (p *peer) attach(s *session, rank core.Rank, hello *wirepb.Hello, stream uint64) (*wirepb.Welcome, *ticket, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return nil, nil, errCutOff
	}
	if rank != p.rank {
		return nil, nil, errPlace
	}
	p.endLocked(errReplaced)
	if hello.Stream != stream {
		p.lastUp = 0
		p.out.restart(func(*wirepb.Message) bool { return true })
	}
	p.out.rewind()
	p.session, p.joined, p.seen = s, true, time.Now()
	var spent *ticket
	if p.ticket != nil && p.ticket.used {
		spent, p.ticket, p.assign = p.ticket, nil, ""
	}
	s.told.generation, s.told.ack = p.generation, p.lastUp
	return &wirepb.Welcome{LastSeq: p.lastUp, Generation: p.generation, Stream: stream}, spent, nil
}

// next is the next thing to say in session s. State goes before messages.
func (p *peer) next(s *session) *wirepb.Down {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != s {
		return nil
	}
	d := &wirepb.Down{Ack: p.lastUp}
	switch told := &s.told; {
	case p.stop != nil && !told.stop:
		told.stop = true
		d.What = &wirepb.Down_Stop{Stop: p.stop}
	case p.assign != "" && !told.assign:
		told.assign = true
		d.What = &wirepb.Down_Assign{Assign: &wirepb.Assign{Token: p.assign}}
	case p.generation != told.generation:
		told.generation = p.generation
		d.What = &wirepb.Down_Generation{Generation: &wirepb.Generation{Generation: p.generation}}
	case p.started && !told.started:
		told.started = true
		d.What = &wirepb.Down_Start{Start: &wirepb.Start{}}
	default:
		m, seq, ok := p.out.take(window)
		if !ok && told.ack == p.lastUp {
			return nil
		}
		if ok {
			d.Seq, d.What = seq, &wirepb.Down_Message{Message: m}
		}
	}
	s.told.ack = d.Ack
	return d
}

// receive takes one frame of session s and calls h for it.
func (p *peer) receive(s *session, up *wirepb.Up, h Handler) error {
	p.deliver.Lock()
	defer p.deliver.Unlock()
	fresh, err := p.admit(s, up)
	if err != nil || !fresh {
		return err
	}
	switch w := up.What.(type) {
	case *wirepb.Up_Heartbeat:
		h.Beat(p.id, time.Duration(w.Heartbeat.GetCpuNanos()), core.Bytes(w.Heartbeat.GetRss()))
	case *wirepb.Up_Message:
		if p.current(w.Message.GetGeneration()) {
			h.Message(p.id, w.Message.GetGeneration(), w.Message.GetData())
		}
	case *wirepb.Up_Log:
		deliverLog(h, p.id, w.Log)
	case *wirepb.Up_Ended:
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		h.Ended(p.id, endError(w.Ended), time.Duration(w.Ended.GetCpuNanos()))
	}
	if up.Seq > 0 {
		p.acknowledge(up.Seq)
	}
	return nil
}

// admit does the bookkeeping of a frame and says whether it is new.
func (p *peer) admit(s *session, up *wirepb.Up) (fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.off:
		return false, errCutOff
	case p.session != s:
		return false, errReplaced
	}
	p.seen = time.Now()
	if up.Ack > 0 {
		p.out.ack(up.Ack)
		s.nudge()
	}
	switch {
	case up.Seq == 0:
		return up.GetHeartbeat() != nil, nil
	case up.Seq <= p.lastUp:
		return false, nil
	case up.Seq != p.lastUp+1:
		return false, errSequence
	}
	return true, nil
}

func (p *peer) acknowledge(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastUp = seq
	p.wakeLocked()
}

func (p *peer) current(generation int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.off && generation >= p.generation
}

// detach ends session s for err and tells h, unless another took its place, or
// the executor is cut off, or it leaves to come back under its place.
func (p *peer) detach(s *session, err error, h Handler) {
	p.deliver.Lock()
	defer p.deliver.Unlock()
	p.mu.Lock()
	mine := p.session == s && !p.off
	if mine {
		p.session = nil
	}
	p.mu.Unlock()
	if mine && !s.told.assign {
		h.Closed(p.id, err)
	}
}

// cutOff refuses everything from now on and returns the ticket to revoke.
func (p *peer) cutOff() *ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	p.out = outbox[*wirepb.Message]{}
	p.endLocked(errCutOff)
	return p.ticket
}

// silence is how long nothing was heard, 0 where nothing is to be expected.
// slept is how long this process heard nobody.
func (p *peer) silence(now time.Time, slept time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.joined || p.ended || p.off {
		return 0
	}
	p.seen = p.seen.Add(slept)
	return now.Sub(p.seen)
}

func (p *peer) tellSilence(h Handler, since time.Duration) {
	// A frame being delivered right now is no silence.
	if !p.deliver.TryLock() {
		return
	}
	defer p.deliver.Unlock()
	p.mu.Lock()
	off := p.off
	p.mu.Unlock()
	if !off {
		h.Silent(p.id, since)
	}
}

// drop forgets a session whose welcome could not be sent.
func (p *peer) drop(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == s {
		p.session = nil
	}
}
