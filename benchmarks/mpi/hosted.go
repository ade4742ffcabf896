package mpi

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
)

// launchers are Capstan's; how it starts executors.
func launchers() []string { return []string{"process", "docker"} }

// host is a running host of this benchmark.
type host struct {
	*meter.Server
	meter    *meter.Meter
	capstan  []string // its command line, up to the command
	launcher string
}

// open starts a host with a launcher; nil where this machine has no such engine.
func (l *lab) open(ctx context.Context, launcher string) (*host, error) {
	if launcher == "docker" && exec.CommandContext(ctx, "docker", "version").Run() != nil {
		l.log("docker is left out: no engine answers")
		return nil, nil
	}
	l.started++
	h := &host{meter: meter.New(), launcher: launcher,
		capstan: []string{l.Capstan, "--state", filepath.Join(l.dir, fmt.Sprintf("state-%d", l.started))}}
	up := append(h.capstan[:3:3], "up", "--launcher", launcher, "--warm", "2")
	var err error
	if h.Server, err = h.meter.Serve(ctx, meter.Command{Args: up}, "host up"); err != nil {
		return nil, errors.Join(err, h.meter.Close())
	}
	return h, nil
}

func (h *host) close() error { return errors.Join(h.Stop(), h.meter.Close()) }

// mpiexec is the command line of a program in a folder.
func (h *host) mpiexec(dir string, args ...string) []string {
	return append(append(h.capstan[:3:3], "mpiexec", "--quiet", "-wdir", dir), args...)
}

// hosted is an unmodified MPICH program under Capstan and under Hydra.
func hosted(ctx context.Context, l *lab, r *report) error {
	if l.program == "" {
		return nil
	}
	for _, launcher := range launchers() {
		h, err := l.open(ctx, launcher)
		if h == nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := errors.Join(l.hostedOn(ctx, h, r), h.close()); err != nil {
			return fmt.Errorf("%s: %w", launcher, err)
		}
	}
	return nil
}

// contender is a way to run the program.
type contender struct {
	what         string
	argv         []string
	starts, runs series
}

func (l *lab) hostedOn(ctx context.Context, h *host, r *report) error {
	bare := &contender{argv: []string{l.hydra, "-n", "2", l.hosted, "run"}}
	together := &contender{what: h.launcher + ", 2 ranks in one executor", argv: h.mpiexec(l.work, "-n", "2", l.hosted, "run")}
	apart := &contender{what: h.launcher + ", 2 ranks in two executors", argv: h.mpiexec(l.work, "-n", "2", "-ppn", "1", l.hosted, "run")}
	all := []*contender{bare, together, apart}
	for round := range max(2, l.Rounds/2) + 1 {
		for i := range all {
			start, ran, err := once(ctx, all[(i+round)%len(all)].argv)
			if err != nil {
				return err
			}
			if c := all[(i+round)%len(all)]; round > 0 { // a host learns a gang's shape from the first
				c.starts, c.runs = append(c.starts, start), append(c.runs, ran)
			}
		}
	}
	for _, c := range all[1:] {
		r.times(c.what+", run time", c.runs, bare.runs, 1.02)
		goal := 0.0
		if h.launcher == "docker" {
			goal = 1.5
		}
		r.times(c.what+", start to MPI_Init done", c.starts, bare.starts, goal)
	}
	return nil
}

// once runs the program, and returns the nanoseconds to the end of its MPI_Init and
// of its work.
func once(ctx context.Context, argv []string) (start, ran float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	began := time.Now()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// mpiexec ends its job before it ends.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, 20*time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, said.String())
	}
	words := strings.Fields(string(out))
	if len(words) != 2 {
		return 0, 0, fmt.Errorf("%s printed %q", strings.Join(argv, " "), out)
	}
	at, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	ran, err = strconv.ParseFloat(words[1], 64)
	return float64(at - began.UnixNano()), ran, err
}

// containers is two ranks in two executor containers: native ones, and MPICH's,
// against MPICH's on the bare machine.
func containers(ctx context.Context, l *lab, r *report) error {
	h, err := l.open(ctx, "docker")
	if h == nil {
		return err
	}
	in := func(name string, program ...string) (*player, error) {
		return l.start(ctx, name, 2, func(prefix string) []string {
			return h.mpiexec(l.work, append(append([]string{"-n", "2", "-ppn", "1"}, program...), prefix)...)
		})
	}
	err = func() (err error) {
		native, err := in(rank.Native, append(l.native[:len(l.native):len(l.native)], rank.Native)...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, native.close()) }()
		d := &duel{ours: native, rounds: l.Rounds}
		var others []*player
		if l.program != "" {
			if d.theirs, err = l.theirs(ctx, 2); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.theirs.close()) }()
			theirs, err := in("MPICH-hosted", l.program)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, theirs.close()) }()
			others = append(others, theirs)
		}
		return d.containers(ctx, r, others)
	}()
	return errors.Join(err, h.close())
}

func (d *duel) containers(ctx context.Context, r *report, hosted []*player) error {
	for _, n := range []int{8, 64 << 10, 1 << 20} {
		b := trips(rank.Pings, n)
		var turns []turn
		for _, p := range hosted {
			turns = append(turns, turn{p, b})
		}
		got, err := d.beside(ctx, b, b, turns...)
		if err != nil {
			return err
		}
		goal := 0.0
		if n == 8 {
			goal = 1
		}
		r.times(size(n)+", one way, native, two containers", half(got.ours), half(got.theirs), goal)
		for _, o := range got.others {
			r.times(size(n)+", one way, MPICH, two containers", half(o), half(got.theirs), 1)
		}
	}
	return nil
}
