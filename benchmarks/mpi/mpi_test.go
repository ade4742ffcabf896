package mpi

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
)

// rankArg makes the test binary a native rank.
const rankArg = "mpi-rank"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == rankArg {
		if err := rank.Play(context.Background(), os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// small is a lab whose native ranks are this test.
func small(t *testing.T) *lab {
	if _, err := exec.LookPath("mpicc.mpich"); err != nil {
		if os.Getenv("CAPSTAN_REQUIRE_DOCKER") == "1" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED: %v: install mpich and libmpich-dev", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{Config: Config{Rounds: 1, Ranks: 6, Log: t.Output()}, dir: t.TempDir(), native: []string{self, rankArg}}
	if l.hydra, err = exec.LookPath("mpiexec.hydra"); err != nil {
		t.Fatal(err)
	}
	if err := l.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestParts plays each part once: what it checks holds, and it has rows. Nothing
// is said of the figures.
func TestParts(t *testing.T) {
	l := small(t)
	for _, p := range parts() {
		if p.host {
			continue // scenarios have jobs of kind MPI
		}
		t.Run(p.name, func(t *testing.T) {
			r := &report{part: p.name}
			if err := p.run(t.Context(), l, r); err != nil {
				t.Fatal(err)
			}
			if len(r.rows) == 0 {
				t.Fatal("no row")
			}
			for _, row := range r.rows {
				if row.Ours <= 0 || row.Part != p.name {
					t.Errorf("%+v", row)
				}
			}
			var b bytes.Buffer
			if err := Print(&b, r.rows); err != nil || strings.Count(b.String(), "\n") != len(r.rows)+1 {
				t.Errorf("%v: %d rows are printed as\n%s", err, len(r.rows), &b)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	for _, v := range []struct {
		row  Row
		want string
	}{
		{Row{Ours: 1, Ratio: 1, Goal: 1}, "kept"},
		{Row{Ours: 9, Ratio: 1.1, Goal: 1}, "missed"},
		{Row{Ours: 9, Ratio: 1.3, Goal: 1.3, More: true}, "kept"},
		{Row{Ours: 9, Ratio: 1.2, Goal: 1.3, More: true}, "missed"},
		{Row{Ours: 1.9, Goal: 2, Absolute: true}, "kept"},
		{Row{Ours: 2.1, Ratio: 0.1, Goal: 2, Absolute: true}, "missed"},
		{Row{Ours: 1, Goal: 1}, ""},
		{Row{Ours: 1, Ratio: 1}, ""},
	} {
		if got := v.row.Verdict(); got != v.want {
			t.Errorf("%+v: %q, want %q", v.row, got, v.want)
		}
	}
}

// TestQuarter: the slowest of the fastest quarter, and the median.
func TestQuarter(t *testing.T) {
	s := series{9, 1, 8, 2, 7, 3, 6, 4, 5}
	if s.quarter() != 3 || s.median() != 5 || (series{}).median() != 0 {
		t.Errorf("%v and %v", s.quarter(), s.median())
	}
}

// TestWrong: a rank that ends is told of, with what it said.
func TestWrong(t *testing.T) {
	l := small(t)
	p, err := l.ours(t.Context(), "nobody", 2)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.play(rank.Batch{Kind: rank.Pings, Bytes: 8, Rounds: 1})
	if err == nil || !strings.Contains(err.Error(), "its ranks ended") || !strings.Contains(p.said.String(), `no player "nobody"`) {
		t.Errorf("%v; it said %q", err, p.said.String())
	}
	if err := p.close(); err == nil {
		t.Error("closed as if nothing had been")
	}
	if _, err := Run(t.Context(), Config{Only: []string{"pingpongs"}}); err == nil {
		t.Error("a part that is not there was run")
	}
}
