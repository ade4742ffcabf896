package mesh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The batches that a player is asked for, a byte each.
const (
	smallBatch  = 's' // smallTrips round trips of 8 bytes
	largeBatch  = 'l' // a round trip of 64 MiB
	handedBatch = 'h' // the same in buffers that are handed over
)

const (
	smallWarm  = 10000
	smallTrips = 10000
)

// player is two ranks that stand ready and play a batch when they are told to.
// Each reads its turns from a pipe, and sleeps in between.
type player struct {
	pipes [2]*os.File
	lines *bufio.Scanner // of rank 0
	stop  func() error   // ends the ranks once the pipes are closed
}

// pipePrefix with "-" and a rank is the path of that rank's pipe.
func newPlayer(pipePrefix string) (*player, error) {
	p := new(player)
	for rank := range p.pipes {
		name := fmt.Sprintf("%s-%d", pipePrefix, rank)
		if err := unix.Mkfifo(name, 0o600); err != nil {
			return nil, fmt.Errorf("make pipe %s: %w", name, err)
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		p.pipes[rank] = f
	}
	return p, nil
}

// start runs the commands, of which the first says what rank 0 measures.
func (p *player) start(cmds ...*exec.Cmd) error {
	said, err := cmds[0].StdoutPipe()
	if err != nil {
		return err
	}
	p.lines = bufio.NewScanner(said)
	for i, c := range cmds {
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			for _, before := range cmds[:i] {
				err = errors.Join(err, before.Process.Kill(), before.Wait())
			}
			return err
		}
	}
	p.stop = func() error {
		var err error
		for _, c := range cmds {
			err = errors.Join(err, c.Wait())
		}
		return err
	}
	return nil
}

// play has the ranks make a batch and returns the nanoseconds of one round trip.
func (p *player) play(batch byte) (float64, error) {
	for _, f := range p.pipes {
		if _, err := f.Write([]byte{batch}); err != nil {
			return 0, err
		}
	}
	if !p.lines.Scan() {
		return 0, errors.Join(errors.New("the ranks ended"), p.lines.Err())
	}
	return strconv.ParseFloat(strings.TrimSpace(p.lines.Text()), 64)
}

// close lets the ranks end and waits for them.
func (p *player) close() error {
	for _, f := range p.pipes {
		if f != nil {
			f.Close()
		}
	}
	if p.stop == nil {
		return nil
	}
	return p.stop()
}

// turn is one batch of one player within a round.
type turn struct {
	series string
	player *player
	batch  byte
}

// rounds has every turn played in every round, the order turned by one from
// round to round, and returns the times by series. The first two rounds do not
// count.
func rounds(ctx context.Context, n int, turns []turn) (map[string][]float64, error) {
	times := map[string][]float64{}
	for round := -2; round < n; round++ {
		for i := range turns {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			t := turns[(i+round+len(turns))%len(turns)]
			ns, err := t.player.play(t.batch)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.series, err)
			}
			if round >= 0 {
				times[t.series] = append(times[t.series], ns)
			}
		}
	}
	return times, nil
}
