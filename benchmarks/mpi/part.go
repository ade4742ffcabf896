package mpi

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Config is what to measure, and with what.
type Config struct {
	Capstan string    // the binary under test: its hidden commands are the native ranks
	Module  string    // directory of the source tree, to build the native program from
	Only    []string  // parts; empty: all
	Rounds  int       // batches of each player for each figure; 0: 20
	Ranks   int       // of the part many; 0: 256
	Log     io.Writer // says what is left out; nil: nobody
}

func (c Config) log(format string, args ...any) {
	if c.Log != nil {
		fmt.Fprintf(c.Log, format+"\n", args...)
	}
}

// part is a group of goals.
type part struct {
	name, about string
	run         func(ctx context.Context, l *lab, r *report) error
	host        bool // it needs the binary under test, as a host
}

func parts() []part {
	return []part{
		{"pingpong", "small messages between two ranks over shared memory", pingPong, false},
		{"bandwidth", "large messages: copied, lent, and handed over by reference", bandwidth, false},
		{"collectives", "allreduce and barrier of as many ranks as there are cores, 2 to 8", collectives, false},
		{"tcp", "two ranks in two network namespaces", tcp, false},
		{"oversubscribed", "eight ranks, on fewer cores", oversubscribed, false},
		{"hosted", "an unmodified MPICH program under capstan mpiexec and mpiexec.hydra", hosted, true},
		{"containers", "two ranks in two executor containers", containers, true},
		{"kill", "one of four ranks killed: the user told, the others gone", kill, true},
		{"many", "256 native ranks: start, one allreduce, stop", many, false},
	}
}

// Names is the parts there are.
func Names() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// Run measures and returns a row for each figure. What was measured before an
// error is returned with it.
func Run(ctx context.Context, c Config) ([]Row, error) {
	for _, name := range c.Only {
		if !slices.Contains(Names(), name) {
			return nil, core.Errorf(core.Invalid, "there is no part %q", name).At("--only").Do("one of " + strings.Join(Names(), ", "))
		}
	}
	if c.Rounds == 0 {
		c.Rounds = 20
	}
	if c.Ranks == 0 {
		c.Ranks = 256
	}
	l, err := newLab(ctx, c)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(l.dir)
	var rows []Row
	for _, p := range parts() {
		if len(c.Only) > 0 && !slices.Contains(c.Only, p.name) {
			continue
		}
		c.log("%-15s %s", p.name, p.about)
		r := &report{part: p.name}
		err := p.run(ctx, l, r)
		rows = append(rows, r.rows...)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return rows, ctx.Err()
}
