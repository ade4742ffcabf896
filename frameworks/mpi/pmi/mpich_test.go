package pmi

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program compiles testdata/meet.c with the machine's MPICH.
func program(t *testing.T) string { return compile(t, "meet", "mpicc.mpich", "libmpich-dev") }

// compile compiles a program of testdata, if the machine has what it needs.
func compile(t *testing.T, name, cc, pkg string, libs ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	_, err := exec.LookPath(cc)
	var b []byte
	if err == nil {
		argv := append([]string{"-o", out, filepath.Join("testdata", name+".c")}, libs...)
		b, err = exec.Command(cc, argv...).CombinedOutput()
	}
	switch {
	case err == nil:
	case os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "": // a machine with all parts
		t.Fatalf("%s: %v: install %s\n%s", cc, err, pkg, b)
	default:
		t.Skipf("%s: %v: install %s\n%s", cc, err, pkg, b)
	}
	return out
}

// ran is how a rank's process and its conversation ended.
type ran struct {
	outcome
	code   int
	output string
}

// play runs ranks of a program on servers of so many ranks each, until all have
// ended, and ends the rest when one is lost.
func play(t *testing.T, ranks, each int, argv ...string) []ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	desc := World{Name: "kvs_test", Programs: make([]int, ranks), Mapping: Mapping(make([]int, ranks))}
	for r := range ranks {
		desc.Programs[r] = r % 2
	}
	fabric := NewLocal((ranks+each-1)/each, nil)
	out := make([]ran, ranks)
	var wg sync.WaitGroup
	var server *Server
	for rank := range ranks {
		if rank%each == 0 {
			server = NewServer(desc, min(each, ranks-rank), fabric)
		}
		server := server
		wg.Go(func() {
			out[rank] = run(ctx, cancel, t, server, rank, ranks, argv)
		})
	}
	wg.Wait()
	return out
}

func run(ctx context.Context, end context.CancelFunc, t *testing.T, s *Server, rank, ranks int, argv []string) ran {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
		return ran{}
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		t.Error(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	var text strings.Builder
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "PMI_FD=3", fmt.Sprintf("PMI_RANK=%d", rank), fmt.Sprintf("PMI_SIZE=%d", ranks))
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = &text, &text
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Error(err)
		return ran{}
	}
	e, err := s.Serve(ctx, rank, ours)
	if e.Started && !e.Finalized {
		end() // an aborting rank spins until it is ended
	}
	_ = cmd.Wait() // the exit code says it
	return ran{outcome{e, err}, cmd.ProcessState.ExitCode(), text.String()}
}

// Unmodified ranks of MPICH find each other through one server and through
// several.
func TestMPICH(t *testing.T) {
	meet := program(t)
	for _, c := range []struct{ ranks, each int }{{1, 1}, {2, 2}, {2, 1}, {4, 3}} {
		t.Run(fmt.Sprintf("%d ranks, %d on a server", c.ranks, c.each), func(t *testing.T) {
			for rank, r := range play(t, c.ranks, c.each, meet) {
				if want := fmt.Sprintf("rank %d of %d\n", rank, c.ranks); r.output != want || r.code != 0 || !r.Finalized || r.err != nil {
					t.Errorf("rank %d ended with %d, %+v:\n%s", rank, r.code, r.outcome, r.output)
				}
			}
		})
	}
}

// A rank that is gone is told apart from one that has finished, and from one that
// wants all to end.
func TestMPICHEnds(t *testing.T) {
	meet := program(t)
	ends := play(t, 2, 1, meet, "die")
	if r := ends[1]; r.code != 3 || !r.Started || r.Finalized || r.Aborted {
		t.Errorf("the rank that exits with 3: code %d, %+v\n%s", r.code, r.outcome, r.output)
	}
	ends = play(t, 2, 1, meet, "abort")
	if !slices.ContainsFunc(ends, func(r ran) bool { return r.Aborted && r.Code == 7 || r.code == 7 }) {
		t.Errorf("nobody aborted with 7: %+v", ends)
	}
}

// A program of version 2 that is not ours, on one server and on two.
func TestSlurmClient(t *testing.T) {
	p := compile(t, "pmi2", "cc", "libpmi2-0-dev", "-lpmi2")
	for _, each := range []int{3, 2} {
		for rank, r := range play(t, 3, each, p) {
			want := fmt.Sprintf("rank %d of 3 in kvs_test, (vector,(0,1,3)), next: card; of %d\n", rank, (rank+1)%3)
			if r.output != want || r.code != 0 || !r.Finalized || r.err != nil {
				t.Errorf("rank %d ended with %d, %+v:\n%s", rank, r.code, r.outcome, r.output)
			}
		}
	}
}
