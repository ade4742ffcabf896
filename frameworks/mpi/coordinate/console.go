package coordinate

import (
	"context"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/console"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// passage carries what ranks print, and what rank 0 reads, between workers and the
// console. It decides nothing, so it passes the machine by.
type passage struct {
	host core.Host
	line *console.Line

	retold map[place]bool // executors that have said again what the last coordinator may not have heard

	mu    sync.Mutex
	seats map[seat]place // who has a rank of a run
}

type seat struct{ run, rank int }

type place struct {
	gang     string
	executor int
}

// openPassage finds the console that the document names; nil: it names none.
func openPassage(ctx context.Context, c *spec.Console, host core.Host) *passage {
	if c == nil {
		return nil
	}
	p := &passage{host: host, seats: map[seat]place{}, retold: map[place]bool{}}
	p.line = console.Dial(ctx, c.Socket, c.Secret, p.taken, p.input)
	return p
}

// hear takes what is the console's; ok is false for any other message. Before the
// console is found it is dropped, and so is what an executor says before it has
// retold: it is asked, and says it again. To pass on what comes after a gap would
// tell the executor that the gap was taken, too.
func (p *passage) hear(e core.Message, up *task.Up) (ok bool) {
	if up.Output == nil && up.Want == nil && !up.Retold {
		return false
	}
	if p == nil {
		return true
	}
	from := place{e.Gang, e.Rank}
	if up.Retold {
		p.retold[from] = true
		return true
	}
	if !p.retold[from] {
		return true
	}
	if w := up.Want; w != nil {
		p.sit(w.Run, 0, e)
		p.line.Say(&console.Frame{Kind: console.Want, Run: w.Run, At: w.At})
		return true
	}
	o := up.Output
	kind := console.Stdout
	if o.Err {
		kind = console.Stderr
	}
	if len(o.Data) > console.MaxBytes {
		return true
	}
	p.sit(o.Run, o.Rank, e)
	p.line.Say(&console.Frame{Kind: kind, Run: o.Run, Rank: o.Rank, At: o.At, Data: o.Data})
	return true
}

func (p *passage) sit(run, rank int, e core.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seats[seat{run, rank}] = place{e.Gang, e.Rank}
}

func (p *passage) send(run, rank int, d task.Down) {
	p.mu.Lock()
	to, has := p.seats[seat{run, rank}]
	p.mu.Unlock()
	if !has {
		return
	}
	if b, err := task.Encode(&d); err == nil {
		_ = p.host.Send(to.gang, to.executor, b) // a host that is gone takes nothing
	}
}

func (p *passage) taken(f *console.Frame) {
	p.send(f.Run, f.Rank, task.Down{Taken: &task.Taken{
		Run: f.Run, Rank: f.Rank, Err: f.Kind == console.Stderr, To: f.At + int64(len(f.Data)),
	}})
}

func (p *passage) input(f *console.Frame) {
	p.send(f.Run, 0, task.Down{Input: &task.Input{Run: f.Run, At: f.At, Data: f.Data}})
}

func (p *passage) close() {
	if p != nil {
		p.line.Close()
	}
}
