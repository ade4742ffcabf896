package work

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/core/executor/output"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// application is the user's program at work.
type application struct {
	w       *worker
	run     *run
	proc    *program
	web     string // its own page
	results string // folder of what it leaves
	stops   chan task.Stop
	over    chan struct{} // closed when Done was sent
}

// end asks the application to end, and waits until it has.
func (a *application) end(s task.Stop) {
	select {
	case a.stops <- s:
	default: // it was asked before
	}
	<-a.over
}

// follow watches the application to its end, tells how far it is, and keeps what
// it left (law W5).
func (a *application) follow(ctx context.Context) *task.Done {
	d := &task.Done{Run: a.run.number}
	began := time.Now()
	a.watch(ctx)
	d.Wall = time.Since(began)
	d.Code, d.Signal = a.proc.status()
	d.Tail = a.proc.last.String()
	seen := a.eventual()
	if seen != nil {
		a.w.tell(ctx, &task.Up{Seen: seen})
	}
	if ctx.Err() != nil {
		return d // nobody will read it
	}
	var err error
	if d.Events, err = a.keepEvents(ctx); err == nil && d.Code == 0 {
		d.Results, err = a.keepResults(ctx)
	}
	if err != nil {
		d.Fault = fault(err)
	}
	return d
}

// watch waits for the application's end, and brings it about if it is asked to.
func (a *application) watch(ctx context.Context) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	kill := time.NewTimer(time.Hour)
	kill.Stop()
	defer kill.Stop()
	for {
		select {
		case <-a.proc.ended:
			return
		case <-ctx.Done():
			command.Kill(a.proc.cmd)
			<-a.proc.ended
			return
		case s := <-a.stops:
			command.Signal(a.proc.cmd, syscall.SIGTERM)
			kill.Reset(s.Grace)
		case <-kill.C:
			command.Kill(a.proc.cmd)
		case <-look.C:
			if seen := a.look(ctx); seen != nil {
				a.w.tell(ctx, &task.Up{Seen: seen})
			}
		}
	}
}

// program is the application's process.
type program struct {
	cmd   *exec.Cmd
	last  *output.Tail // of stderr
	ended chan struct{}
}

// startProgram starts argv. Its stdout is the job's log's, and so is what stderr
// has beyond Spark's own INFO.
func startProgram(w *worker, argv []string, dir string, env []string) (*program, error) {
	cmd, err := command.New(argv, dir, env)
	if err != nil {
		return nil, err
	}
	p := &program{cmd: cmd, last: new(output.Tail), ended: make(chan struct{})}
	stdout, err := output.Open(nil, func(line string) { w.env.Log.Info(line) })
	if err != nil {
		return nil, err
	}
	stderr, err := output.Open(nil, func(line string) {
		if !strings.Contains(line, " INFO ") {
			p.last.Add(line)
			w.env.Log.Info(line)
		}
	})
	if err != nil {
		output.Drain(stdout)
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = stdout.Program(), stderr.Program()
	if err := command.Start(cmd); err != nil {
		output.Drain(stdout, stderr)
		return nil, err
	}
	stdout.Started()
	stderr.Started()
	go func() {
		_ = cmd.Wait() // its status is asked for later
		command.Kill(cmd)
		output.Drain(stdout, stderr)
		close(p.ended)
	}()
	return p, nil
}

// status is how the program ended.
func (p *program) status() (code, signal int) {
	if s, ok := command.KilledBy(p.cmd.ProcessState); ok {
		return 128 + int(s), int(s)
	}
	return p.cmd.ProcessState.ExitCode(), 0
}
