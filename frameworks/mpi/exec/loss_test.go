package exec

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A process that ends too early is lost, and every rank that needs it says who
// (law X1).
func TestLost(t *testing.T) {
	for _, c := range []struct {
		name, python string
		code         int
		says         string
	}{
		{"killed", "mpi.world().barrier()\nimport os\nos.kill(os.getpid(), 9)", 137, "was killed by signal 9 (killed) before it has finalized"},
		{"exits", "mpi.world().barrier()\nimport os\nos._exit(4)", 4, "ended with exit status 4 before it has finalized"},
		{"exits well", "mpi.world().barrier()\nimport os\nos._exit(0)", 1, "ended with exit status 0 before it has finalized"},
		{"raises", "mpi.world().barrier()\nraise ValueError('no such luck')", 1, "ValueError: no such luck"},
		{"aborts", "mpi.world().barrier()\nmpi.abort(7, 'the model has diverged')", 7, "it ended the world with code 7: the model has diverged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := play(t, goRank("needs"), script(t, "w = mpi.world()\nw.barrier()\nw.recv(bytearray(1), 2, 0)"), script(t, c.python))
			if r := all[2]; r.code != c.code || !strings.Contains(r.output, c.says) || !strings.Contains(r.output, "rank 2 (") || r.Finalized {
				t.Errorf("the lost rank ended with %d, %+v, and says:\n%s", r.code, r.Ending, r.output)
			}
			for rank, r := range all[:2] {
				if r.code == 0 || !strings.Contains(r.output, "rank 2") {
					t.Errorf("rank %d ended with %d and does not name rank 2:\n%s", rank, r.code, r.output)
				}
				if late := r.after - all[2].after; late > time.Second {
					t.Errorf("rank %d noticed %v after the end", rank, late)
				}
			}
		})
	}
}

// A program that has nothing to do with MPI is run as it is.
func TestNoProgramOfMPI(t *testing.T) {
	if r := play(t, guest("sh", "-c", "echo hello"))[0]; r.code != 0 || r.output != "hello\n" || !r.Finalized {
		t.Errorf("%+v", r)
	}
	if r := play(t, guest("no-such-program"))[0]; r.code != 2 || !strings.Contains(r.output, `command "no-such-program" is not in the executor`) {
		t.Errorf("%+v", r)
	}
}

// The process ends with its proxy, also where that is killed (law X5).
func TestProxyKilled(t *testing.T) {
	r := play(t, script(t, `
import os, signal
mpi.world()
print(os.getpid(), flush=True)
os.kill(os.getppid(), signal.SIGKILL)
signal.pause()`))[0]
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%s/cmdline", strings.TrimSpace(r.output))) // none of a zombie
	if len(args) > 0 || r.output == "" || r.code != -1 {
		t.Errorf("%q, code %d\n%s", args, r.code, r.output)
	}
}

// Without a launcher the process is the only rank.
func TestAlone(t *testing.T) {
	code := Run(t.Context(), []string{python(t), "-B", "-c", `
import capstan_mpi as mpi, array
w = mpi.world()
assert (w.rank, w.size) == (0, 1)
assert list(w.allreduce(array.array("i", [5]))) == [5]`})
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}
