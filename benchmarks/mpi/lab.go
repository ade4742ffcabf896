package mpi

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
	"github.com/capstan-run/capstan/core"
)

//go:embed program/*.c
var sources embed.FS

// rankCommand is the hidden command of "bench mpi" that is a native rank.
const rankCommand = "rank"

// mpichPlayer is the name of the one that is not ours.
const mpichPlayer = "MPICH"

// lab is where players meet.
type lab struct {
	Config
	dir     string   // removed at the end
	work    string   // in dir: programs and pipes, which containers may see
	hydra   string   // MPICH's mpiexec, which starts all players
	program string   // MPICH's player; "" without its compiler
	hosted  string   // the MPICH program that Capstan hosts
	native  []string // ours
	started int
}

func newLab(ctx context.Context, c Config) (*lab, error) {
	l := &lab{Config: c}
	var err error
	if l.hydra, err = exec.LookPath("mpiexec.hydra"); err != nil {
		return nil, &core.Error{Kind: core.Invalid, What: "find the launcher of ranks", Err: err, Remedy: "install the package mpich"}
	}
	if l.dir, err = os.MkdirTemp("", "capstan-mpi-bench-"); err != nil {
		return nil, err
	}
	if err := l.prepare(ctx); err != nil {
		c.log("MPICH is left out: %v (packages mpich and libmpich-dev)", err)
	}
	l.native = []string{filepath.Join(l.work, "mpiplay")}
	if err := build(ctx, c.Module, l.native[0]); err != nil {
		l.native = []string{c.Capstan, "bench", "mpi", rankCommand}
		c.log("native ranks are this binary, which starts slowly: %v", err)
	}
	return l, nil
}

// build makes the native program.
func build(ctx context.Context, module, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./benchmarks/programs/mpiplay")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %q, which --module names: %w: %s", module, err, out)
	}
	return nil
}

// rank is the command line of a native rank of a player.
func (l *lab) rank(player, prefix string) []string {
	return append(l.native[:len(l.native):len(l.native)], player, prefix)
}

// prepare makes the working folder and the MPICH programs in it.
func (l *lab) prepare(ctx context.Context) error {
	l.work = filepath.Join(l.dir, "work")
	// The executors of containers are of another user.
	if err := errors.Join(os.Chmod(l.dir, 0o755), os.Mkdir(l.work, 0o755)); err != nil {
		return err
	}
	player, err := compile(ctx, l.work, "play")
	if err != nil {
		return err
	}
	l.program = player
	l.hosted, err = compile(ctx, l.work, "hosted")
	return err
}

// compile makes an MPICH program in a folder. Other MPI libraries may own the name
// mpicc.
func compile(ctx context.Context, dir, name string) (string, error) {
	cc, err := exec.LookPath("mpicc.mpich")
	if err != nil {
		if cc, err = exec.LookPath("mpicc"); err != nil {
			return "", err
		}
	}
	text, err := sources.ReadFile("program/" + name + ".c")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, cc, "-O2", "-x", "c", "-o", program, "-")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cc, err, out)
	}
	return program, nil
}

// ours starts native ranks, or those of the mesh alone, under Hydra.
func (l *lab) ours(ctx context.Context, name string, ranks int) (*player, error) {
	return l.start(ctx, name, ranks, func(prefix string) []string {
		return append([]string{l.hydra, "-n", fmt.Sprint(ranks)}, l.rank(name, prefix)...)
	})
}

// theirs starts the MPICH program; nil without MPICH.
func (l *lab) theirs(ctx context.Context, ranks int) (*player, error) {
	if l.program == "" {
		return nil, nil
	}
	return l.start(ctx, mpichPlayer, ranks, func(prefix string) []string {
		return []string{l.hydra, "-n", fmt.Sprint(ranks), l.program, prefix}
	})
}

// duel is a native player beside MPICH's.
type duel struct {
	ours, theirs *player // theirs nil without MPICH
	rounds       int
}

// duel starts both with so many ranks.
func (l *lab) duel(ctx context.Context, name string, ranks int) (*duel, error) {
	ours, err := l.ours(ctx, name, ranks)
	if err != nil {
		return nil, err
	}
	theirs, err := l.theirs(ctx, ranks)
	if err != nil {
		ours.close()
		return nil, err
	}
	return &duel{ours, theirs, l.Rounds}, nil
}

// play alternates batches; theirs is of MPICH, which has no kind of its own for
// some of ours.
func (d *duel) play(ctx context.Context, ours, theirs rank.Batch) (us, them series, err error) {
	turns := []turn{{d.ours, ours}}
	if d.theirs != nil {
		turns = append(turns, turn{d.theirs, theirs})
	}
	got, err := rounds(ctx, d.rounds, turns...)
	if err != nil {
		return nil, nil, err
	}
	if d.theirs != nil {
		them = got[1]
	}
	return got[0], them, nil
}

func (d *duel) close() error {
	err := d.ours.close()
	if d.theirs == nil {
		return err
	}
	if e := d.theirs.close(); err == nil {
		err = e
	}
	return err
}
