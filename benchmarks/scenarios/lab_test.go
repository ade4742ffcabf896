package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

// patience is how long an event may take on a busy machine before a scenario
// gives up on it. Nothing is measured by it.
const patience = 90 * time.Second

// lab is a host with a folder of its own. dir/in is the input of its jobs.
type lab struct {
	t        *testing.T
	launcher string
	dir      string // short, for sockets; readable for all, for containers
	state    string
	flags    []string // of up
	cmd      *exec.Cmd
	ended    chan struct{} // closed when cmd was waited for
	client   *api.Client
}

// open makes a lab and starts its host.
func open(t *testing.T, launcher string, flags ...string) *lab {
	t.Helper()
	l := bare(t, launcher, flags...)
	l.up()
	return l
}

// bare makes a lab without a host.
func bare(t *testing.T, launcher string, flags ...string) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "cs-")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, launcher: launcher, dir: dir, state: filepath.Join(dir, "s"), flags: flags}
	t.Cleanup(l.close)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "in"), 0o755)); err != nil {
		t.Fatal(err)
	}
	return l
}

// up starts a host on the lab's state directory and waits until it answers.
func (l *lab) up() {
	l.t.Helper()
	log, err := os.OpenFile(filepath.Join(l.dir, "host.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer log.Close()
	ready, w, err := os.Pipe()
	if err != nil {
		l.t.Fatal(err)
	}
	defer ready.Close()
	args := append([]string{"--state", l.state, "up", "--launcher", l.launcher, "--warm", "0", "--ready-fd", "3", "-v"}, l.flags...)
	l.cmd = exec.Command(capstan, args...)
	l.cmd.Stdout, l.cmd.Stderr, l.cmd.ExtraFiles = log, log, []*os.File{w}
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = l.cmd.Start()
	w.Close()
	if err != nil {
		l.t.Fatal(err)
	}
	l.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { cmd.Wait(); close(ended) }(l.cmd, l.ended)
	ready.SetReadDeadline(time.Now().Add(patience))
	if n, err := ready.Read(make([]byte, 256)); n == 0 {
		l.t.Fatalf("the host is not ready: %v\n%s", err, l.hostLog())
	}
	token, err := os.ReadFile(filepath.Join(l.state, "token"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.client, err = api.Dial(api.Options{Address: "unix://" + filepath.Join(l.state, "host.sock"), Token: strings.TrimSpace(string(token))})
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) hostLog() string {
	b, _ := os.ReadFile(filepath.Join(l.dir, "host.log"))
	return string(b[max(0, len(b)-4000):])
}

// signal sends s to the host, not to its children.
func (l *lab) signal(s syscall.Signal) { l.cmd.Process.Signal(s) }

// killHost ends the host as a power button would, and waits until it is gone.
func (l *lab) killHost() {
	l.t.Helper()
	l.signal(syscall.SIGKILL)
	<-l.ended
	l.client.Close()
}

// down ends the host as Ctrl-C would.
func (l *lab) down() {
	l.t.Helper()
	if l.cmd == nil {
		return
	}
	l.signal(syscall.SIGTERM)
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.signal(syscall.SIGKILL)
		<-l.ended
		l.t.Errorf("the host does not end\n%s", l.hostLog())
	}
	l.client.Close()
	l.cmd = nil
}

// close ends the host, looks for leftovers (law S2), and removes the folder.
func (l *lab) close() {
	if l.t.Failed() && l.cmd != nil {
		l.t.Logf("host log:\n%s", l.hostLog())
	}
	l.cancelAll()
	l.down()
	l.leftovers()
	os.RemoveAll(l.dir)
}

// cancelAll ends what a failed scenario left running, so that the next one has
// the machine to itself.
func (l *lab) cancelAll() {
	if l.cmd == nil || !l.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	jobs, _ := l.client.List(ctx, 0, "")
	for _, j := range jobs {
		if j.State.Final() {
			continue
		}
		l.client.Cancel(ctx, string(j.ID), "the scenario failed")
		l.client.Watch(ctx, string(j.ID), 0, func(*core.Job, *apipb.JobEvent) error { return nil })
	}
}

// result is how a command ended.
type result struct {
	code     int
	out, err string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", r.code, r.out, r.err)
}

// do runs capstan with args on the lab's state directory.
func (l *lab) do(args ...string) result {
	l.t.Helper()
	return l.doEnv(nil, args...)
}

func (l *lab) doEnv(env []string, args ...string) result {
	l.t.Helper()
	cmd := l.command(env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func (l *lab) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(capstan, append([]string{"--state", l.state}, args...)...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// ok runs a command that must succeed and answers its stdout.
func (l *lab) ok(args ...string) string {
	l.t.Helper()
	r := l.do(args...)
	if r.code != 0 {
		l.t.Fatalf("capstan %s: %s\nhost log:\n%s", strings.Join(args, " "), r, l.hostLog())
	}
	return r.out
}

// run is a `capstan run` that goes on beside the test.
type run struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

func (l *lab) begin(args ...string) *run {
	l.t.Helper()
	r := &run{cmd: l.command(nil, args...)}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.err
	if err := r.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	return r
}

func (r *run) end() result {
	r.cmd.Wait()
	return result{r.cmd.ProcessState.ExitCode(), r.out.String(), r.err.String()}
}

// write makes a file under the lab's folder, readable for all, and answers its
// path.
func (l *lab) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// until waits for done to answer true. what names the event.
func (l *lab) until(what string, done func() bool) {
	l.t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			l.t.Fatalf("no sign of: %s\nhost log:\n%s", what, l.hostLog())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// job reads a job's document.
func (l *lab) job(id string) *core.Job {
	l.t.Helper()
	j, err := l.client.Get(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	return j
}

// event waits for an event of a kind whose text holds text, and answers it.
func (l *lab) event(id, kind, text string) *apipb.JobEvent {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	var got *apipb.JobEvent
	var seen []string
	found := errors.New("found")
	err := l.client.Watch(ctx, id, 0, func(_ *core.Job, e *apipb.JobEvent) error {
		if e == nil {
			return nil
		}
		seen = append(seen, e.Kind+": "+e.Text)
		if e.Kind == kind && strings.Contains(e.Text, text) {
			got = e
			return found
		}
		return nil
	})
	if got != nil {
		return got
	}
	// "swept" comes after the end, which ends the stream.
	if kind == "swept" && err == nil {
		return l.eventAfterEnd(ctx, id, kind)
	}
	l.t.Fatalf("no event %s %q of job %s (%v); there were\n%s\nhost log:\n%s", kind, text, id, err, strings.Join(seen, "\n"), l.hostLog())
	return nil
}

func (l *lab) eventAfterEnd(ctx context.Context, id, kind string) (got *apipb.JobEvent) {
	l.t.Helper()
	l.until(kind+" of "+id, func() bool {
		l.client.Watch(ctx, id, 0, func(_ *core.Job, e *apipb.JobEvent) error {
			if e != nil && e.Kind == kind {
				got = e
			}
			return nil
		})
		return got != nil
	})
	return got
}

// logged waits for a line of the job's log that holds text, and answers its
// rank.
func (l *lab) logged(id, text string) int {
	l.t.Helper()
	rank, _ := l.line(id, text)
	return rank
}

// line waits for a line of the job's log that holds text, and answers its rank
// and all of it.
func (l *lab) line(id, text string) (rank int, line string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	s, err := l.client.RPC().Logs(ctx, connect.NewRequest(&apipb.LogsRequest{Id: id, Follow: true, Rank: -1}))
	if err != nil {
		l.t.Fatal(api.FromConnect(err))
	}
	defer s.Close()
	var seen []string
	for s.Receive() {
		if strings.Contains(s.Msg().Text, text) {
			return int(s.Msg().Rank), s.Msg().Text
		}
		seen = append(seen, s.Msg().Text)
	}
	l.t.Fatalf("no line %q in the log of %s (%v); there were\n%s\nhost log:\n%s", text, id, s.Err(), strings.Join(seen, "\n"), l.hostLog())
	return 0, ""
}
