package work

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/core/executor/output"
)

// part is a process of Spark's that runs until it is told to end.
type part struct {
	name  string // "master", "worker"
	cmd   *exec.Cmd
	out   *output.Stream
	last  *output.Tail
	ended chan struct{} // closed when it was waited for
}

// daemon starts a class of Spark's by spark-class.
func (w *worker) daemon(r *run, name, class string, args ...string) (*part, error) {
	argv := append([]string{w.dist.home + "/bin/spark-class", class}, args...)
	return w.start(r, name, argv, r.dir+"/work", w.environ(r, nil))
}

// start starts a process whose two streams are one, which goes to the job's log
// (law W6).
func (w *worker) start(r *run, name string, argv []string, dir string, env []string) (*part, error) {
	p := &part{name: name, last: new(output.Tail), ended: make(chan struct{})}
	cmd, err := command.New(argv, dir, env)
	if err != nil {
		return nil, err
	}
	p.out, err = output.Open(nil, func(line string) {
		p.last.Add(line)
		if telling(line) {
			w.env.Log.Warn(name + " | " + line)
		}
	})
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = p.out.Program(), p.out.Program()
	p.cmd = cmd
	if err := command.Start(cmd); err != nil {
		output.Drain(p.out)
		return nil, err
	}
	p.out.Started()
	go func() {
		_ = cmd.Wait() // its status is asked for later
		command.Kill(cmd)
		output.Drain(p.out)
		close(p.ended)
	}()
	return p, nil
}

// telling reports whether a line of a log of Spark's is worth the user's time.
func telling(line string) bool {
	return strings.Contains(line, " ERROR ") || strings.Contains(line, " WARN ") && !strings.Contains(line, "NativeCodeLoader")
}

// kill ends the part and waits for it.
func (p *part) kill() {
	command.Kill(p.cmd)
	<-p.ended
}

// why is the error that the part's end comes to.
func (p *part) why() *core.Error {
	how := fmt.Sprintf("ended with exit status %d", p.cmd.ProcessState.ExitCode())
	if s, ok := command.KilledBy(p.cmd.ProcessState); ok {
		how = fmt.Sprintf("was killed by signal %d (%s)", int(s), s)
	}
	return &core.Error{Kind: core.Failed, What: "Spark's " + p.name + " " + how, Detail: p.last.String(),
		Remedy: "see what its last lines say; it needs Java 17 or later, and the memory that gang.memory gives it"}
}

// upOrEnded waits until there is what up asks for, the part has ended, or it is
// told to.
func (p *part) upOrEnded(ctx context.Context, until <-chan struct{}, up func(context.Context) bool) (ok bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := make(chan bool, 1)
	go func() { found <- poll(ctx, up) }()
	select {
	case ok = <-found:
		return ok
	case <-p.ended:
	case <-until:
	}
	cancel()
	<-found
	return false
}
