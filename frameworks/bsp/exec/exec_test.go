package exec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/exec"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// childEnv says as which peer this binary is to run.
const childEnv = "EXEC_TEST_PEER"

func TestMain(m *testing.M) {
	if how := os.Getenv(childEnv); how != "" {
		if err := child(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// goPeer is this binary as a peer that behaves in some way.
func goPeer(how string) exec.Command {
	return exec.Command{Argv: []string{os.Args[0]}, Env: map[string]string{childEnv: how}}
}

// pythonPeer is the example, where Python has pyarrow.
func pythonPeer(t *testing.T) exec.Command {
	t.Helper()
	python := "python3"
	if home, err := os.UserHomeDir(); err == nil {
		if p := filepath.Join(home, ".cache/capstan-pyarrow/bin/python3"); exists(p) {
			python = p
		}
	}
	if err := osexec.Command(python, "-c", "import pyarrow").Run(); err != nil {
		t.Skip("no pyarrow here: the Python peer is not tested")
	}
	files, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command{Argv: []string{python, "peer.py"}, Files: files}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func gang(t *testing.T, size int, c exec.Command) peertest.Gang {
	t.Helper()
	var splits []input.Split
	for rank := range size {
		path := filepath.Join(t.TempDir(), "in.txt")
		text := strings.Repeat("line\n", rank+2) + "end\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n := int64(len(text))
		splits = append(splits, input.Split{Bytes: n, Ranges: []input.Range{{File: input.File{URL: input.FileURL(path), Size: n}, Length: n}}})
	}
	return peertest.Gang{Size: size, Program: func() peer.Program { return exec.New(c) },
		Config: func(rank int, c *peer.Config) { c.Splits = splits[rank : rank+1] }}
}

// expected are the rows of the ring, computed here.
func expected(size int) [][]peertest.Row {
	numbers := make([]int64, size)
	for rank := range numbers {
		numbers[rank] = int64(4*(rank+2) + 3)
	}
	for range 6 {
		sent := append([]int64(nil), numbers...)
		for rank := range numbers {
			numbers[rank] = (numbers[rank]*31 + sent[(rank+size-1)%size]) % 1000003
		}
	}
	sum := int64(0)
	for _, n := range numbers {
		sum += n
	}
	rows := make([][]peertest.Row, size)
	for rank, n := range numbers {
		rows[rank] = []peertest.Row{{Value: fmt.Sprintf(`{"rank":%d,"number":%d,"all":%d}`, rank, n, sum)}}
	}
	return rows
}

func sameRows(t *testing.T, r *peertest.Result, size int) {
	t.Helper()
	if want := expected(size); !reflect.DeepEqual(normal(r.Rows), normal(want)) {
		t.Errorf("rows\n%v, want\n%v", normal(r.Rows), normal(want))
	}
	if got := r.Counters["turns"]; got != int64(7*size) {
		t.Errorf("%d turns", got)
	}
}

// normal has the fields of rows in one order.
func normal(rows [][]peertest.Row) [][]string {
	out := make([][]string, len(rows))
	for rank := range rows {
		for _, r := range rows[rank] {
			out[rank] = append(out[rank], sortedFields(r.Value))
		}
	}
	return out
}

// TestRing runs a peer in each language on gangs of several sizes.
func TestRing(t *testing.T) {
	t.Run("go", func(t *testing.T) {
		for _, size := range []int{1, 2, 3} {
			sameRows(t, gang(t, size, goPeer("ring")).Run(t), size)
		}
	})
	t.Run("python", func(t *testing.T) { sameRows(t, gang(t, 2, pythonPeer(t)).Run(t), 2) })
}

// TestKill kills a rank in each superstep.
func TestKill(t *testing.T) {
	for step := range int64(7) {
		g := gang(t, 2, goPeer("ring"))
		g.Every, g.Kills = 2, []peertest.Kill{{Rank: int(step % 2), Superstep: step, Phase: peertest.Phases[step%4]}}
		r := g.Run(t)
		sameRows(t, r, 2)
	}
	t.Run("python", func(t *testing.T) {
		g := gang(t, 2, pythonPeer(t))
		g.Every, g.Kills = 2, []peertest.Kill{{Rank: 1, Superstep: 5}}
		if r := g.Run(t); r.Incarnations != 2 {
			t.Errorf("%d incarnations", r.Incarnations)
		} else {
			sameRows(t, r, 2)
		}
	})
}

// TestFaults has processes that do wrong: each is named, with what it did and
// what it said last.
func TestFaults(t *testing.T) {
	for how, want := range map[string][]string{
		"die":      {"ended with exit status 3", "superstep 2", "the last words"},
		"leave":    {"ended before it was told to", "superstep 2"},
		"kill":     {"killed by signal 9", "superstep 2"},
		"garbage":  {"no Arrow IPC stream", "superstep 2"},
		"nowhere":  {"goes to rank 7 of 2 ranks", "superstep 2"},
		"untold":   {"no column to", "superstep 2"},
		"strange":  {`kind "gift"`, "superstep 2"},
		"badend":   {"counters is not the JSON", "superstep 2"},
		"bigclaim": {"no Arrow IPC stream", "superstep 2"},
	} {
		t.Run(how, func(t *testing.T) {
			_, err := gang(t, 2, goPeer(how)).Try(t)
			if err == nil {
				t.Fatal("the gang ended without an error")
			}
			e := core.AsError(err)
			text := err.Error() + e.Detail
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("%q is not in the error: %s", w, text)
				}
			}
			if e.Kind != core.Failed || e.Remedy == "" {
				t.Errorf("kind %s, remedy %q", e.Kind, e.Remedy)
			}
		})
	}
}

// TestHang has a process that says nothing more: the end of the context ends it.
func TestHang(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	g := gang(t, 1, goPeer("hang"))
	g.Program = func() peer.Program {
		return &ending{exec.New(goPeer("hang")), ctx}
	}
	g.Config = func(_ int, c *peer.Config) {
		c.Observe = func(s peer.Superstep) {
			if s.Number == 1 {
				cancel() // in superstep 2 it hangs
			}
		}
	}
	if _, err := g.Try(t); !errors.Is(err, context.Canceled) {
		t.Errorf("the gang ended with %v", err)
	}
}

// ending is a program whose context ends with another.
type ending struct {
	*exec.Program
	ctx context.Context
}

func (e *ending) Run(ctx context.Context, p *peer.Peer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(e.ctx, cancel)
	defer stop()
	return e.Program.Run(ctx, p)
}

// TestMissing names a command that is not there.
func TestMissing(t *testing.T) {
	_, err := gang(t, 1, exec.Command{Argv: []string{"./no-such-peer"}}).Try(t)
	if err == nil || !strings.Contains(err.Error(), `"./no-such-peer" is not in the executor`) || core.KindOf(err) != core.Invalid {
		t.Errorf("%v", err)
	}
}
