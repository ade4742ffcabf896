package work

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// finding is what a probe found.
type finding struct {
	number int // of the run
	ready  bool
	err    error
	early  bool // within the grace
}

// checks are the probes of one run and what they found so far.
type checks struct {
	body          *spec.Body
	readyPassed   bool
	readyFails    int
	readyWhy      error
	healthPassed  bool
	healthFails   int
	healthWhy     error
	probing       *sync.WaitGroup
	readyThrough  bool // there is a readiness probe
	healthThrough bool
}

func newChecks(b *spec.Body) checks {
	return checks{body: b, probing: new(sync.WaitGroup), readyThrough: b.Ready != nil, healthThrough: b.Health != nil}
}

// begin probes until ctx ends.
func (c *checks) begin(ctx context.Context, p place, r *wire.Run, ports []int, out chan<- finding) {
	each := func(s *spec.Probe, ready bool) {
		if s == nil {
			return
		}
		check := checkOf(s, p, r, ports)
		c.probing.Go(func() { probe(ctx, s, check, finding{number: r.Number, ready: ready}, out) })
	}
	each(c.body.Ready, true)
	each(c.body.Health, false)
}

func (c *checks) wait() {
	if c.probing != nil {
		c.probing.Wait()
	}
}

// take counts a finding.
func (c *checks) take(f finding) {
	switch {
	case f.ready && f.err == nil:
		c.readyPassed, c.readyFails, c.readyWhy = true, 0, nil
	case f.ready:
		c.readyFails++
		c.readyWhy = f.err
		if c.readyFails >= c.body.Ready.Threshold {
			c.readyPassed = false
		}
	case f.err == nil:
		c.healthPassed, c.healthFails, c.healthWhy = true, 0, nil
	case f.early && !c.healthPassed:
		c.healthWhy = f.err
	default:
		c.healthFails++
		c.healthWhy = f.err
	}
}

// ready reports whether the copy takes requests, and else why not.
func (c *checks) ready() (bool, string) {
	switch {
	case c.readyThrough && !c.readyPassed:
		return false, why("ready", c.readyWhy)
	case !c.readyThrough && c.healthThrough && !c.healthPassed:
		return false, why("health", c.healthWhy)
	}
	return true, ""
}

// sick is why the copy has to be restarted; "" if it has not.
func (c *checks) sick() string {
	if c.healthThrough && c.healthFails >= c.body.Health.Threshold {
		return why("health", c.healthWhy)
	}
	return ""
}

func why(probe string, err error) string {
	if err == nil {
		return "the " + probe + " probe has not passed yet"
	}
	return "the " + probe + " probe: " + err.Error()
}

// probe runs a check again and again.
func probe(ctx context.Context, s *spec.Probe, check func(context.Context) error, f finding, out chan<- finding) {
	began := time.Now()
	t := time.NewTicker(time.Duration(s.Interval))
	defer t.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
		f.err = check(once)
		if f.err != nil && errors.Is(once.Err(), context.DeadlineExceeded) {
			f.err = fmt.Errorf("no answer within %s", s.Timeout)
		}
		cancel()
		f.early = time.Since(began) < time.Duration(s.Grace)
		select {
		case out <- f:
		case <-ctx.Done():
			return
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// checkOf makes a probe's check.
func checkOf(s *spec.Probe, p place, r *wire.Run, ports []int) func(context.Context) error {
	port := func(name string) string {
		i := slices.IndexFunc(r.Body.Ports, func(p spec.Port) bool { return p.Name == name })
		if i < 0 {
			return "0"
		}
		return strconv.Itoa(ports[i])
	}
	switch {
	case s.HTTP != nil:
		return httpCheck("http://127.0.0.1:" + port(s.HTTP.Port) + s.HTTP.Path)
	case s.TCP != "":
		address := "127.0.0.1:" + port(s.TCP)
		return func(ctx context.Context) error {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err == nil {
				c.Close()
			}
			return err
		}
	}
	env := p.environ(r, ports)
	return func(ctx context.Context) error { return execCheck(ctx, p, s.Exec, env) }
}

func httpCheck(url string) func(context.Context) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(q)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode < 200 || answer.StatusCode >= 400 {
			return fmt.Errorf("GET %s answers %s", q.URL.Path, answer.Status)
		}
		return nil
	}
}

// execCheck runs a command to its end, or kills it with all it started.
func execCheck(ctx context.Context, p place, argv, env []string) error {
	cmd, err := command.New(argv, p.dir, env)
	if err == nil {
		err = command.Start(cmd)
	}
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { command.Kill(cmd) })
	err = cmd.Wait()
	stop()
	command.Kill(cmd)
	var status *exec.ExitError
	if errors.As(err, &status) {
		return fmt.Errorf("%s ended with %s", argv[0], status.ProcessState)
	}
	return err
}
