package exec

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/capstan-run/capstan/frameworks/mpi"
	"github.com/capstan-run/capstan/frameworks/mpi/waits"
)

// Ending is how a process's conversation ended. If it neither finalized nor
// aborted, the process is lost (law X1).
type Ending struct {
	Greeted   bool // it said hello: a program that never does is none of MPI's
	Finalized bool
	Aborted   bool // it wants the whole world ended, with Code
	Code      int
	Why       string
}

// Options of a conversation.
type Options struct {
	// Awaits is told what the process waits for; a Wait without an Op: for nothing;
	// nil: for what the mesh knows. It may be called from any goroutine.
	Awaits  func(*waits.Wait)
	Program int    // the number that hello answers
	Memory  uint64 // bytes of all segments together; 0: half of the machine's
}

// Serve carries out what a process asks for on sock, as this rank of world,
// until it has finalized or aborted, its stream ends, or ctx does. An error is
// that it wrote what makes no sense, or ctx's. Serve closes sock.
func Serve(ctx context.Context, world *mpi.Comm, sock *net.UnixConn, o Options) (Ending, error) {
	if o.Memory == 0 {
		o.Memory = halfOfMemory()
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &proxy{conn: newConn(sock), segments: newSegments(o.Memory), comms: newCommunicators(world), order: newOrder(),
		ledger: newLedger(world, o.Awaits), program: o.Program}
	unhook := context.AfterFunc(ctx, func() { _ = sock.SetReadDeadline(time.Now()) })
	end, err := p.listen(ctx)
	unhook()
	cancel()
	_ = sock.SetWriteDeadline(time.Now()) // nobody reads what is still to be answered
	p.begun.Wait()
	p.segments.close()
	_ = sock.Close()
	return end, err
}

// proxy is one process's.
type proxy struct {
	conn     *conn
	segments *segments
	comms    *communicators
	order    *order
	ledger   *ledger
	program  int
	begun    sync.WaitGroup // requests that are not answered
	greeted  bool
}

// listen takes requests until the last.
func (p *proxy) listen(ctx context.Context) (Ending, error) {
	for {
		r, err := p.conn.next()
		if ctx.Err() != nil {
			return Ending{}, context.Cause(ctx)
		}
		if err == io.EOF {
			return Ending{Greeted: p.greeted}, nil
		}
		if err != nil {
			return Ending{}, err
		}
		if !p.greeted && r.command != cmdHello {
			return Ending{}, nonsense{p.conn.read, "it is " + r.command.name() + ", and hello comes first"}
		}
		switch r.command {
		case cmdAbort:
			return Ending{Greeted: true, Aborted: true, Code: int(r.value), Why: string(r.data)}, nil
		case cmdFinalize:
			p.begun.Wait()
			p.conn.answer(r, &answer{})
			return Ending{Greeted: true, Finalized: true}, nil
		}
		if err := p.take(ctx, r); err != nil {
			return Ending{}, err
		}
	}
}

// take begins one request. An error ends the conversation.
func (p *proxy) take(ctx context.Context, r *request) error {
	switch c := r.command; {
	case c == cmdHello:
		return p.hello(r)
	case c == cmdSegment:
		p.say(r, p.segment)
	case c == cmdRelease:
		p.say(r, func(r *request) (*answer, error) { return &answer{}, p.segments.release(r.out.segment) })
	case c == cmdWait:
		return p.wait(r)
	case c.collective():
		p.meet(ctx, r)
	default:
		if err := p.point(ctx, r); err != nil {
			p.conn.answer(r, failed(err))
		}
	}
	return nil
}

// say answers r at once.
func (p *proxy) say(r *request, f func(*request) (*answer, error)) {
	a, err := f(r)
	if err != nil {
		a = failed(err)
	}
	p.conn.answer(r, a)
}

// later answers r, which is on c, when f returns.
func (p *proxy) later(c *mpi.Comm, r *request, f func() (*answer, error)) {
	p.ledger.begin(c, r)
	p.begun.Go(func() {
		p.say(r, func(*request) (*answer, error) {
			defer p.ledger.end(r)
			return f()
		})
	})
}

func (p *proxy) hello(r *request) error {
	if p.greeted {
		return nonsense{p.conn.read, "hello was said before"}
	}
	if string(r.data) != greeting {
		return nonsense{p.conn.read, fmt.Sprintf("hello says %.20q, not %q: its client is of another version", r.data, greeting)}
	}
	p.greeted = true
	name, _ := os.Hostname()
	world := p.comms.world
	p.conn.answer(r, &answer{peer: int32(world.Rank()), value: int64(world.Size()), tag: int32(p.program), data: []byte(name)})
	return nil
}

func (p *proxy) segment(r *request) (*answer, error) {
	if r.value < 1 {
		return nil, refusal{statusRequest, fmt.Sprintf("a segment of %d bytes", r.value)}
	}
	s, fd, err := p.segments.make(uint64(r.value))
	if err != nil {
		return nil, err
	}
	return &answer{segment: s.number, length: uint64(len(s.mem)), fd: fd}, nil
}

// wait notes what the process waits for (law X6).
func (p *proxy) wait(r *request) error {
	if len(r.data)%4 != 0 {
		return nonsense{p.conn.read, fmt.Sprintf("wait with %d bytes, no whole number of uint32", len(r.data))}
	}
	numbers := make([]uint32, len(r.data)/4)
	for i := range numbers {
		numbers[i] = binary.LittleEndian.Uint32(r.data[4*i:])
	}
	p.ledger.waitFor(numbers, r.value != 0)
	return nil
}
