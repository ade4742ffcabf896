package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi"
	guests "github.com/capstan-run/capstan/frameworks/mpi/exec"
)

// heatArg makes the test binary the program, and mpi-rank what "capstan mpi-rank"
// is.
const heatArg = "heat"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case heatArg:
			mpi.Main(func(ctx context.Context, world *mpi.Comm) error { return run(ctx, world, os.Args[2:]) })
		case "mpi-rank":
			os.Exit(guests.Main(context.Background(), os.Args[2:], os.Stdout, os.Stderr))
		}
	}
	os.Exit(m.Run())
}

// need finds a program, or skips; where all parts have to be it fails.
func need(t *testing.T, name string) string {
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CAPSTAN_REQUIRE_DOCKER") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("NOT TESTED: %v: install mpich, libmpich-dev and python3", err)
	}
	return path
}

// TestHeat: one program in C with MPICH, in Go and in Python, and with any number
// of ranks, has one answer to the bit.
func TestHeat(t *testing.T) {
	hydra, cc, python := need(t, "mpiexec.hydra"), need(t, "mpicc.mpich"), need(t, "python3")
	dir := t.TempDir()
	inC := filepath.Join(dir, "heat")
	// The answer's last bit is that of IEEE sums in the order written.
	if out, err := exec.Command(cc, "-O2", "-ffp-contract=off", "-o", inC, "mpich/heat.c", "-lm").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var line string
	var points []byte
	for _, c := range []struct {
		name  string
		ranks int
		argv  []string
	}{
		{"C with MPICH", 2, []string{inC}},
		{"Go alone", 1, []string{self, heatArg}},
		{"Go", 3, []string{self, heatArg}},
		{"Python", 2, []string{self, "mpi-rank", python, "../../exec/testdata/heat.py"}},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-"))
		args := append(append([]string{"-n", fmt.Sprint(c.ranks)}, c.argv...), "30", "77", file)
		cmd := exec.CommandContext(t.Context(), hydra, args...)
		cmd.Env = append(os.Environ(), "PYTHONPATH=../../exec/python", "PYTHONDONTWRITEBYTECODE=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, out)
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil || len(got) != 8*30*30 {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
		if line == "" {
			line, points = string(out), got
		}
		if !strings.HasPrefix(line, "30 x 30, 77 steps: heat ") || string(out) != line || !bytes.Equal(got, points) {
			t.Errorf("%s: %q and other points, the first said %q", c.name, out, line)
		}
	}
}

// TestPicture: hot above, cold below, and of a size to look at.
func TestPicture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "heat.png")
	err := mpi.Local(t.Context(), 3, func(ctx context.Context, world *mpi.Comm) error {
		return run(ctx, world, []string{"20", "300", "", path})
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() < 512 || b.Dx() != b.Dy() {
		t.Errorf("the picture is %v", b)
	}
	light := func(x, y int) uint32 { r, g, b, _ := img.At(x, y).RGBA(); return r + g + b }
	middle := img.Bounds().Dx() / 2
	if light(middle, 3) <= light(middle, middle) || light(middle, middle) <= light(middle, 2*middle-3) {
		t.Error("it is not hot above and cold below")
	}
}

// TestArguments: what cannot be is refused with what can.
func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"0"}, {"8", "-1"}, {"8", "1", "", "", "more"}, {"2"}} {
		err := mpi.Local(t.Context(), 3, func(ctx context.Context, world *mpi.Comm) error { return run(ctx, world, args) })
		if err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
