package mpi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
	"github.com/capstan-run/capstan/core"
)

// player is a program with all its ranks. Each rank reads its turns from a pipe,
// PREFIX-RANK, and sleeps in between.
type player struct {
	name  string
	pipes []*os.File
	lines *bufio.Scanner // of rank 0
	cmd   *exec.Cmd
	said  bytes.Buffer // on standard error, once they have ended
	once  sync.Once    // of ended
	ended error
}

// start starts a player under a launcher, whose command line launch makes of the
// prefix of its pipes.
func (l *lab) start(ctx context.Context, name string, ranks int, launch func(prefix string) []string, env ...string) (*player, error) {
	l.started++
	prefix := fmt.Sprintf("%s/%s-%d", l.work, name, l.started)
	p := &player{name: name}
	for r := range ranks {
		if err := p.pipe(fmt.Sprintf("%s-%d", prefix, r)); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	argv := launch(prefix)
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = 5 * time.Second
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.lines = bufio.NewScanner(out)
		err = p.cmd.Start()
	}
	if err != nil {
		p.cmd = nil
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *player) pipe(name string) error {
	if err := unix.Mkfifo(name, 0o644); err != nil {
		return fmt.Errorf("make pipe %s: %w", name, err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err == nil {
		p.pipes = append(p.pipes, f)
	}
	return err
}

// play has the ranks make a batch and returns the nanoseconds of one round.
func (p *player) play(b rank.Batch) (float64, error) {
	if err := p.tell(b); err != nil {
		return 0, err
	}
	if !p.lines.Scan() {
		return 0, p.dead()
	}
	return strconv.ParseFloat(strings.TrimSpace(p.lines.Text()), 64)
}

func (p *player) tell(b rank.Batch) error {
	for _, f := range p.pipes {
		if _, err := fmt.Fprintln(f, b); err != nil {
			return err
		}
	}
	return nil
}

// dead is why a player says nothing more.
func (p *player) dead() error {
	err := errors.Join(errors.New("its ranks ended"), p.lines.Err(), p.wait())
	return &core.Error{Kind: core.Failed, What: "play", Where: p.name, Err: err, Detail: p.said.String(), Remedy: "see what they said"}
}

// wait returns how the ranks ended, once all that they said is here.
func (p *player) wait() error {
	p.once.Do(func() { p.ended = p.cmd.Wait() })
	return p.ended
}

// close lets the ranks end and waits for them.
func (p *player) close() error {
	err := p.tell(rank.Batch{Kind: rank.Farewells})
	if p.cmd != nil {
		for p.lines.Scan() {
		}
		if e := p.wait(); e != nil {
			err = fmt.Errorf("%s: %w\n%s", p.name, e, p.said.String())
		}
	}
	for _, f := range p.pipes {
		f.Close()
	}
	return err
}

// turn is a batch of a player within a round.
type turn struct {
	*player
	rank.Batch
}

// rounds has every turn played in every round, the order turned by one from
// round to round (P2), and returns the series in the order of turns.
func rounds(ctx context.Context, n int, turns ...turn) ([]series, error) {
	if err := shorten(turns); err != nil {
		return nil, err
	}
	times := make([]series, len(turns))
	for round := range n {
		for i := range turns {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			at := (i + round) % len(turns)
			ns, err := turns[at].play(turns[at].Batch)
			if err != nil {
				return nil, err
			}
			times[at] = append(times[at], ns)
		}
	}
	return times, nil
}

// longest is how long a batch lasts at most, about.
const longest = 20 * time.Millisecond

// shorten has every turn played once, and cuts the batches of those that are
// slow here.
func shorten(turns []turn) error {
	for i := range turns {
		b := &turns[i].Batch
		probe := *b
		probe.Warm, probe.Rounds = 2, max(1, b.Rounds/50)
		ns, err := turns[i].play(probe)
		if err != nil {
			return err
		}
		most := max(3, int(float64(longest)/ns))
		b.Rounds, b.Warm = min(b.Rounds, most), min(b.Warm, most)
	}
	return nil
}
