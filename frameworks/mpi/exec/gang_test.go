package exec

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/mpi"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
)

// programEnv names the program that this binary is a rank of.
const programEnv = "MPI_EXEC_TEST_PROGRAM"

// programs are what Go ranks run.
var programs = map[string]mpi.Program{"everything": everything, "batches": batches, "heat": heat, "needs": needs}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "mpi-rank" {
		os.Exit(Run(context.Background(), os.Args[2:]))
	}
	if name := os.Getenv(programEnv); name != "" {
		mpi.Main(programs[name])
	}
	goleak.VerifyTestMain(m)
}

// needs is a rank that needs rank 2, which does not come back.
func needs(ctx context.Context, world *mpi.Comm) error {
	if err := world.Barrier(ctx); err != nil {
		return err
	}
	_, err := mpi.Recv(ctx, world, 2, 0, make([]byte, 1))
	return err
}

// rank is what a rank of a gang is started with.
type rank struct {
	argv []string
	env  []string
}

func goRank(program string) rank {
	return rank{argv: []string{os.Args[0]}, env: []string{programEnv + "=" + program}}
}

// guest is a rank that is a process of another language.
func guest(argv ...string) rank {
	return rank{argv: append([]string{os.Args[0], "mpi-rank"}, argv...)}
}

// ended is how a rank did.
type ended struct {
	pmi.Ending
	code   int
	output string
	err    error
	after  time.Duration // the gang's begin
}

// play runs a gang on this machine, and ends all when one is lost.
func play(t *testing.T, ranks ...rank) []ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	world := pmi.World{Name: filepath.Base(t.TempDir()), Programs: make([]int, len(ranks)), Mapping: pmi.Mapping(make([]int, len(ranks)))}
	world.Name = strings.ReplaceAll(t.Name(), "/", "-") + world.Name
	for r := range ranks {
		world.Programs[r] = r
	}
	server := pmi.NewServer(world, len(ranks), pmi.NewLocal(1, nil))
	all, began := make([]ended, len(ranks)), time.Now()
	var wg sync.WaitGroup
	for r := range ranks {
		wg.Go(func() {
			all[r] = launch(ctx, server, r, ranks)
			all[r].after = time.Since(began)
			if !all[r].Finalized {
				time.AfterFunc(2*time.Second, cancel) // what the others say is of interest
			}
		})
	}
	wg.Wait()
	return all
}

func launch(ctx context.Context, server *pmi.Server, number int, ranks []rank) ended {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return ended{err: err}
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	var out bytes.Buffer
	r := ranks[number]
	cmd := exec.CommandContext(ctx, r.argv[0], r.argv[1:]...)
	cmd.Env = append(os.Environ(), "PMI_FD=3", fmt.Sprint("PMI_RANK=", number), fmt.Sprint("PMI_SIZE=", len(ranks)),
		"PYTHONDONTWRITEBYTECODE=1")
	cmd.Env = append(cmd.Env, r.env...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return ended{err: err}
	}
	end, err := server.Serve(ctx, number, ours)
	_ = cmd.Wait() // the code says it
	return ended{Ending: end, code: cmd.ProcessState.ExitCode(), output: out.String(), err: err}
}

// need finds a program, or skips; where all parts have to be it fails.
func need(t *testing.T, names ...string) string {
	t.Helper()
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	if os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "" {
		t.Fatalf("no %s: install it", names[0])
	}
	t.Skipf("no %s: install it", names[0])
	return ""
}

func python(t *testing.T) string {
	if p := os.Getenv("CAPSTAN_PYTHON"); p != "" {
		return p
	}
	return need(t, "python3")
}

// script is a rank that runs Python's text.
func script(t *testing.T, text string) rank {
	return guest(python(t), "-c", "import capstan_mpi as mpi\n"+text)
}

// compiled is testdata's program in C.
func compiled(t *testing.T, name string) string {
	t.Helper()
	cc := need(t, "cc", "gcc")
	out := filepath.Join(t.TempDir(), name)
	args := []string{"-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O1", "-I", "c", "-o", out,
		filepath.Join("testdata", name+".c"), filepath.Join("c", "capstan_mpi.c"), "-lm"}
	if b, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return out
}
