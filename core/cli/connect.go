package cli

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
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

// dial makes a client of the host the user means, without asking whether it lives.
func (a *app) dial() (*api.Client, error) {
	address := a.address
	if address == "" {
		address = "unix://" + filepath.Join(a.state, "host.sock")
	}
	token := os.Getenv("CAPSTAN_TOKEN")
	if token == "" {
		b, _ := os.ReadFile(filepath.Join(a.state, "token"))
		token = strings.TrimSpace(string(b))
	}
	var ca []byte
	if file := os.Getenv("CAPSTAN_CA"); file != "" {
		var err error
		if ca, err = os.ReadFile(file); err != nil {
			return nil, core.Errorf(core.Invalid, "read $CAPSTAN_CA: %v", err)
		}
	}
	return api.Dial(api.Options{Address: address, Token: token, CA: ca})
}

// answerWithin is how long a host may take to say hello.
const answerWithin = 10 * time.Second

var errSilent = fmt.Errorf("the host is there but has not answered for %s", answerWithin)

// host connects to a host that is there.
func (a *app) host(ctx context.Context) (*api.Client, *apipb.InfoResponse, error) {
	c, err := a.dial()
	if err != nil {
		return nil, nil, err
	}
	hello, cancel := context.WithTimeoutCause(ctx, answerWithin, errSilent)
	defer cancel()
	info, err := c.Info(hello)
	if err != nil {
		c.Close()
		if context.Cause(hello) == errSilent {
			return nil, nil, &core.Error{Kind: core.HostLost, Err: errSilent, Where: c.Address(),
				Remedy: "wait if its machine is busy; a frozen one can be killed and started again: no acknowledged job is lost"}
		}
		if core.KindOf(err) == core.HostLost {
			return nil, nil, &core.Error{Kind: core.HostLost, What: "no host answers", Where: c.Address(), Remedy: a.wayToHost()}
		}
		return nil, nil, err
	}
	return c, info, nil
}

// wayToHost says how to come to a host.
func (a *app) wayToHost() string {
	if a.address != "" {
		return "check the address, and that `capstan up` runs there"
	}
	if _, err := os.Stat(filepath.Join(a.state, "journal.db")); err == nil {
		return "`capstan up` starts one, and it knows the jobs of the last one"
	}
	return "`capstan up` starts one; `capstan run` starts one for the occasion; --host names another"
}

// hostOrOwn connects to a host, and starts one for the occasion if the user
// named none and none is there.
func (a *app) hostOrOwn(ctx context.Context) (*api.Client, *apipb.InfoResponse, *occasion, error) {
	c, info, err := a.host(ctx)
	if err == nil {
		return c, info, nil, nil
	}
	if a.address != "" || core.KindOf(err) != core.HostLost || errors.Is(err, errSilent) {
		return nil, nil, nil, err
	}
	own, err := a.startHost(ctx)
	if err != nil {
		// Somebody else may have started one in the same moment.
		if c, info, again := a.host(ctx); again == nil {
			return c, info, nil, nil
		}
		return nil, nil, nil, err
	}
	c, info, err = a.host(ctx)
	return c, info, own, err
}

// occasion is a host this command started.
type occasion struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process ended
}

// tellLauncher says what a job will run on, where the host was there before the
// command: one that was started for the occasion has said so itself.
func (a *app) tellLauncher(s *session) {
	if s.own != nil {
		return
	}
	if !a.quiet {
		a.hint("host at %s; launcher %s: %s", s.Address(), s.info.Launcher, clean(s.info.LauncherWhy))
	}
	if a.launcher != "" && a.launcher != "auto" && a.launcher != s.info.Launcher {
		a.hint("%s --launcher %s is for a host that this command starts; the one that is there has launcher %s",
			a.colour(yellow, "warning:"), a.launcher, s.info.Launcher)
	}
}

// startHost starts this binary as an occasional host and waits until it answers.
func (a *app) startHost(ctx context.Context) (*occasion, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, core.Errorf(core.Internal, "find the running binary: %v", err)
	}
	if err := os.MkdirAll(a.state, 0o700); err != nil {
		return nil, core.Errorf(core.Denied, "%v", err).At(a.state).Do("choose another state directory with --state")
	}
	logPath := filepath.Join(a.state, "host.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, core.Errorf(core.Denied, "%v", err).At(logPath)
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	args := []string{"up", "--occasional", "--state", a.state, "--ready-fd", "3"}
	if a.launcher != "" {
		args = append(args, "--launcher", a.launcher)
	}
	cmd := exec.Command(exe, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return nil, core.Errorf(core.Internal, "start a host: %v", err)
	}
	o := &occasion{cmd: cmd, done: make(chan struct{})}
	go func() { cmd.Wait(); close(o.done) }()
	ready := make(chan string, 1)
	go func() {
		buf := make([]byte, 4096)
		n, _ := r.Read(buf)
		ready <- string(buf[:n])
	}()
	select {
	case line := <-ready:
		if line == "" {
			<-o.done
			return nil, hostDied(logPath)
		}
		if !a.quiet {
			a.hint("%s", strings.TrimSpace(line))
		}
		return o, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hostDied explains a host that ended before it was ready, in its own words.
func hostDied(logPath string) error {
	b, _ := os.ReadFile(logPath)
	b = bytes.TrimSpace(b)
	if len(b) > 2000 {
		b = b[len(b)-2000:]
	}
	return &core.Error{Kind: core.HostLost, What: "the host ended before it was ready", Where: logPath,
		Remedy: "see the log below; `capstan doctor` looks for common causes", Detail: string(b)}
}

// end lets an occasional host go and waits for it.
func (o *occasion) end() {
	if o == nil {
		return
	}
	select {
	case <-o.done:
	case <-time.After(30 * time.Second):
		fmt.Fprintf(os.Stderr, "the host (pid %d) is still cleaning up\n", o.cmd.Process.Pid)
	}
}
