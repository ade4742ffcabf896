package mpi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/mpi"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
)

// programEnv names the program that this binary is a rank of.
const programEnv = "MPI_TEST_PROGRAM"

// programs are what ranks in processes of their own run.
var programs = map[string]mpi.Program{"everything": everything, "dies": dies, "fails": fails}

func TestMain(m *testing.M) {
	if name := os.Getenv(programEnv); name != "" {
		mpi.Main(programs[name])
	}
	goleak.VerifyTestMain(m)
}

// everything uses what the transports could get wrong.
func everything(ctx context.Context, world *mpi.Comm) error {
	n, me := world.Size(), world.Rank()
	for _, length := range lengths {
		if err := allCollectives(ctx, world, length); err != nil {
			return err
		}
		got := values(me, 1000)
		if err := mpi.Send(ctx, world, (me+1)%n, 5, values(me, min(length, 1000))); err != nil {
			return err
		}
		if _, err := mpi.Recv(ctx, world, (me+n-1)%n, 5, got); err != nil {
			return err
		}
	}
	if err := windows(ctx, world); err != nil {
		return err
	}
	if err := world.Barrier(ctx); err != nil {
		return err
	}
	fmt.Printf("rank %d of %d\n", me, n)
	return nil
}

// dies loses rank 1 while the others wait for it.
func dies(ctx context.Context, world *mpi.Comm) error {
	if world.Rank() == 1 {
		if err := world.Barrier(ctx); err != nil {
			return err
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if err := world.Barrier(ctx); err != nil {
		return err
	}
	return world.Barrier(ctx)
}

// fails has rank 1 return an error.
func fails(ctx context.Context, world *mpi.Comm) error {
	if world.Rank() == 1 {
		return fmt.Errorf("no such luck")
	}
	return world.Barrier(ctx)
}

// placed is what a rank is told of where it is, as variables.
type placed func(t *testing.T, rank, size int) []string

// machines are the ways in which ranks can lie.
func machines(t *testing.T) map[string]placed {
	dir := t.TempDir()
	capstan := func(doc map[string]any) []string {
		doc["v"], doc["world"] = 1, "world"
		b, err := json.Marshal(doc)
		must(t, err)
		return []string{"CAPSTAN_MPI=" + string(b)}
	}
	return map[string]placed{
		"one node": func(*testing.T, int, int) []string { return nil },
		"two nodes": func(t *testing.T, rank, size int) []string {
			node := fmt.Sprint("node-", rank%2)
			d := filepath.Join(dir, node)
			must(t, os.MkdirAll(d, 0o700))
			return capstan(map[string]any{"node": node, "dir": d, "address": "127.0.0.1", "locals": 0, "arena": "32Mi"})
		},
		"all apart": func(t *testing.T, rank, size int) []string {
			return capstan(map[string]any{"node": fmt.Sprint("n", rank), "dir": dir, "address": "127.0.0.1", "locals": 1})
		},
	}
}

// ended is how a rank's process did.
type ended struct {
	pmi.Ending
	state  *os.ProcessState
	output string
	err    error
}

// launch runs a program's ranks as processes with a PMI server, as Capstan does,
// and ends all when one ends before it has finalized.
func launch(t *testing.T, program string, ranks int, where placed, mapping string) []ended {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	world := pmi.World{Name: strings.ReplaceAll(t.Name(), " ", "_"), Programs: make([]int, ranks), Mapping: mapping}
	server := pmi.NewServer(world, ranks, pmi.NewLocal(1, nil))
	all := make([]ended, ranks)
	var wg sync.WaitGroup
	for rank := range all {
		wg.Go(func() {
			all[rank] = runRank(ctx, t, server, program, rank, ranks, where)
			if !all[rank].Finalized {
				cancel()
			}
		})
	}
	wg.Wait()
	return all
}

func runRank(ctx context.Context, t *testing.T, server *pmi.Server, program string, rank, ranks int, where placed) ended {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return ended{err: err}
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), programEnv+"="+program, "TMPDIR="+os.TempDir(), "PMI_FD=3", fmt.Sprint("PMI_RANK=", rank), fmt.Sprint("PMI_SIZE=", ranks))
	cmd.Env = append(cmd.Env, where(t, rank, ranks)...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return ended{err: err}
	}
	e, err := server.Serve(ctx, rank, ours)
	_ = cmd.Wait() // the state says it
	return ended{e, cmd.ProcessState, out.String(), err}
}

func TestProcesses(t *testing.T) {
	for name, where := range machines(t) {
		for _, n := range []int{1, 2, 5} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				mapping := ""
				if name == "one node" {
					mapping = pmi.Mapping(make([]int, n))
				}
				for rank, r := range launch(t, "everything", n, where, mapping) {
					if want := fmt.Sprintf("rank %d of %d\n", rank, n); r.output != want || r.err != nil || !r.state.Success() || !r.Finalized {
						t.Errorf("rank %d: %v, %+v, %v\n%s", rank, r.state, r.Ending, r.err, r.output)
					}
				}
			})
		}
	}
}

// TestKilled: a rank that is killed is named by those that wait for it, and the
// launcher is asked to end the world.
func TestKilled(t *testing.T) {
	for name, where := range machines(t) {
		t.Run(name, func(t *testing.T) {
			all := launch(t, "dies", 2, where, "")
			if all[1].state.Success() || all[1].Finalized {
				t.Errorf("the killed rank: %+v", all[1])
			}
			if r := all[0]; r.state.ExitCode() == 0 {
				t.Errorf("rank 0 ended well: %+v", r)
			}
		})
	}
}

func TestFailureAborts(t *testing.T) {
	all := launch(t, "fails", 2, machines(t)["one node"], "")
	if r := all[1]; !r.Aborted || r.Code != 1 || r.state.ExitCode() != 1 || r.output != "no such luck\n" {
		t.Errorf("the rank that fails: %+v %v\n%s", r.Ending, r.state, r.output)
	}
}

// TestHydra runs the program under MPICH's own launcher.
func TestHydra(t *testing.T) {
	hydra, err := exec.LookPath("mpiexec.hydra")
	if err != nil {
		if os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "" {
			t.Fatal("no mpiexec.hydra: install mpich")
		}
		t.Skip("no mpiexec.hydra: install mpich")
	}
	cmd := exec.CommandContext(deadline(t), hydra, "-n", "3", "-env", programEnv, "everything", os.Args[0])
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for rank := range 3 {
		if line := fmt.Sprintf("rank %d of 3\n", rank); !strings.Contains(string(out), line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
}
