package peer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Peer is one rank of a running program. Its methods are for the goroutine that
// runs the program, but SendBlock, which any goroutine may call between two
// calls of Sync.
type Peer struct {
	c    Config
	prog Program
	mesh *mesh.Mesh
	// ctx ends when this rank cannot go on. It is kept because Send and its kin
	// live as long as Run does, and end with it.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	step    int64
	halted  bool
	lanes   []*lane
	in      *inlet
	mail    *mail // of the superstep that ended; nil before the first
	barrier *barrier

	aggregates aggregates
	counters   map[string]int64
	vote, hold bool
	loading    bool
	active     int64
	edges      int64     // followed in the superstep
	followed   time.Time // when they were, last
	policy     policy
	keeping    *keeping
	records    recordCodec

	begun    time.Time     // the superstep
	posting  time.Duration // in it, in SendBlock and its kin
	messages int64         // sent in it

	mu    sync.Mutex
	err   error // why ctx ended
	ended bool  // the program and all others have ended
}

// Rank is this peer's number, from 0.
func (p *Peer) Rank() int { return p.mesh.Rank() }

// Size is the number of peers.
func (p *Peer) Size() int { return p.mesh.Size() }

// Superstep is the number of Syncs that came to an end, also those before a
// checkpoint from which the program went on.
func (p *Peer) Superstep() int64 { return p.step }

// Cores is how many goroutines are worth having, at least 1.
func (p *Peer) Cores() int { return p.c.Cores }

// Memory is how many bytes the program may hold; the peer's own are not among
// them.
func (p *Peer) Memory() int64 { return p.c.forProgram() }

// Limit is how many bytes an executor has to be given for Memory to be so many:
// what a remedy names.
func (p *Peer) Limit(memory int64) int64 { return p.c.limitFor(memory) }

// budget bounds the messages that the peer holds in memory; another eighth of
// the memory is for messages on their way out and checkpoints on theirs.
func (p *Peer) budget() int64 { return p.c.budget() }

func (c Config) budget() int64 { return c.Memory / 4 }

func (c Config) forProgram() int64 { return c.Memory - c.budget() - c.Memory/8 }

// limitFor undoes forProgram.
func (c Config) limitFor(program int64) int64 { return c.Limit((8*program + 4) / 5) }

// Scratch is a private directory on disk; "" is the system's.
func (p *Peer) Scratch() string { return p.c.Scratch }

// Log goes to the job's log under this rank.
func (p *Peer) Log() *slog.Logger { return p.c.Log }

// Splits is the input of this rank.
func (p *Peer) Splits() []input.Split { return p.c.Splits }

// Reading says how the input is read.
func (p *Peer) Reading() input.Options { return p.c.Reading }

// Send sends a copy of msg. It is delivered after the next Sync. It blocks
// while too much is on its way.
func (p *Peer) Send(to int, msg []byte) error {
	l, err := p.lane(to)
	if err != nil {
		return err
	}
	if err := p.fits(int64(len(msg)), min(p.c.Memory/8, varying-1)); err != nil {
		return err
	}
	if !l.batch.room(len(msg)) {
		if err := p.timed(l.flush); err != nil {
			return err
		}
	}
	p.messages++
	l.batch.add(msg)
	return nil
}

// fits refuses a message of which the copies at both its ends would not fit in
// memory: what is longer than most cannot go to disk while it is on its way.
func (p *Peer) fits(n, most int64) error {
	if n <= most {
		return nil
	}
	return core.Errorf(core.Failed, "a message of %d bytes; with the memory that a rank has it can have %d", n, most).
		At(fmt.Sprintf("superstep %d", p.step)).Do("send it in pieces, or raise gang.memory")
}

// Broadcast sends a copy of msg to all ranks, this one included.
func (p *Peer) Broadcast(msg []byte) error {
	for to := range p.lanes {
		if err := p.Send(to, msg); err != nil {
			return err
		}
	}
	return nil
}

// Messages yields what was sent to this rank in the superstep that ended: the
// sender and the message, by sender, in the order in which it sent them. The
// bytes are valid until the next Sync and must not be changed.
func (p *Peer) Messages() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		if p.mail == nil {
			return
		}
		p.mail.all(classBatch, func(from int, l *letter) bool {
			messages, err := openBatch(l.payload, int(l.kind))
			if err != nil {
				_ = p.lost(err)
				return false
			}
			for msg := range messages {
				if !yield(from, msg) {
					return false
				}
			}
			return true
		})
	}
}

// Block is a message of any size, for engines that lay out their own.
type Block struct {
	From int
	Kind uint32 // as the sender said
	Data []byte // starts at a multiple of 8; valid until the next Sync, and not to be changed
}

// SendBlock sends a copy of parts, one after the other, as one block of a kind
// that is the caller's. Within a host the receiver reads that copy. It is on its
// way while the caller computes. SendBlock blocks while too much is.
func (p *Peer) SendBlock(to int, kind uint32, parts ...[]byte) error {
	l, err := p.lane(to)
	if err != nil {
		return err
	}
	if err := p.fits(lengthOf(parts), p.c.Memory/4); err != nil {
		return err
	}
	return p.timed(func() error { return l.post(makeHead(classBlock, kind, p.step), parts...) })
}

func lengthOf(parts [][]byte) (n int64) {
	for _, x := range parts {
		n += int64(len(x))
	}
	return n
}

// Blocks yields the blocks that were sent to this rank in the superstep that
// ended, by sender, in the order in which it sent them.
func (p *Peer) Blocks() iter.Seq[Block] {
	return func(yield func(Block) bool) {
		if p.mail == nil {
			return
		}
		p.mail.all(classBlock, func(from int, l *letter) bool {
			return yield(Block{From: from, Kind: l.kind, Data: l.payload})
		})
	}
}

// VoteToHalt says that this rank has nothing more to do unless it is sent
// something. It holds for the superstep under way.
func (p *Peer) VoteToHalt() { p.vote = true }

// Halted reports whether in the superstep that ended every rank voted to halt
// and none sent anything.
func (p *Peer) Halted() bool { return p.halted }

// Active says how many vertices, or whatever the program has, were active in
// the superstep under way: for those who look.
func (p *Peer) Active(n int64) { p.active += n }

// Edges says that the program has followed n more edges in the superstep under
// way: for those who look.
func (p *Peer) Edges(n int64) {
	p.edges += n
	p.followed = time.Now()
}

// Loading says that the superstep under way, and those after it, load the input,
// or no longer: for those who look.
func (p *Peer) Loading(on bool) { p.loading = on }

// Count adds n to a counter of the job.
func (p *Peer) Count(name string, n int64) { p.counters[name] += n }

// recordsIn is a counter, so that it is in checkpoints, but none of the job's.
const recordsIn = "peer/records in"

// ReadRecords says that the program has read n more records of the job's input:
// for those who look.
func (p *Peer) ReadRecords(n int64) { p.counters[recordsIn] += n }

// HoldCheckpoints prevents checkpoints at the barriers to come, or no longer.
// One rank that holds is enough.
func (p *Peer) HoldCheckpoints(hold bool) { p.hold = hold }

// Fail ends the program's run: Sync returns err, and so does Run.
func (p *Peer) Fail(err error) { _ = p.lost(err) }

// timed notes how long the program waits in f.
func (p *Peer) timed(f func() error) error {
	start := time.Now()
	err := f()
	p.mu.Lock()
	p.posting += time.Since(start)
	p.mu.Unlock()
	return err
}

// lost notes that this rank cannot go on for err, and returns why it cannot.
func (p *Peer) lost(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, mesh.ErrLost) {
		// It may have said why before it went: the inlet hears that first.
		<-p.in.ended
	} else if errors.Is(err, mesh.ErrLeft) {
		// Whoever leaves before the end has failed, and said so.
		wait := time.NewTimer(farewell)
		defer wait.Stop()
		select {
		case <-p.ctx.Done():
		case <-wait.C:
		}
	}
	return p.fail(err)
}

func (p *Peer) fail(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		p.cancel()
	}
	return p.err
}

// failed is why this rank cannot go on; nil while it can.
func (p *Peer) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	return p.ctx.Err()
}

func (p *Peer) observe(s Superstep) {
	s.Counters, s.Records = maps.Clone(p.counters), p.counters[recordsIn]
	delete(s.Counters, recordsIn)
	p.c.Observe(s)
}
