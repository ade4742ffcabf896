package algorithm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-run/capstan/frameworks/bsp/algorithm/reference"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// rankEnv holds what a rank in a process of its own runs.
const rankEnv = "ALGORITHM_TEST_RANK"

// rankJob is a rank of a benchmark's gang.
type rankJob struct {
	Rank, Size int
	Dir, File  string
	Name       string
	With       map[string]any
	Weighted   bool
	Memory     int64
}

// rankReport is what such a rank measured.
type rankReport struct {
	Load, Run time.Duration // until the graph was there; from then to the first row of the result
	CPU       time.Duration // in Run, user and system
	Steps     []peer.Superstep
	Resident  int64 // greatest, bytes
}

// stopwatch is a program and its output. It notes when the graph was there and
// when the first row of the result came.
type stopwatch struct {
	peer.Program
	peer.Output
	loaded, done time.Time
	cpu, cpuDone time.Duration
	step         int64
}

func (s *stopwatch) Rewind([]byte) error { return nil }

func (s *stopwatch) WriteKV(_, _ []byte) error {
	if s.done.IsZero() {
		s.done, s.cpuDone = time.Now(), cpuTime()
	}
	return nil
}

func (s *stopwatch) Run(ctx context.Context, p *peer.Peer) error {
	part := partOf(s.Program)
	if err := part.load(ctx, p); err != nil {
		return err
	}
	if err := p.Sync(ctx); err != nil { // all begin together
		return err
	}
	s.loaded, s.cpu, s.step = time.Now(), cpuTime(), p.Superstep()
	return s.Program.Run(ctx, p)
}

func partOf(prog peer.Program) *graphProgram {
	switch prog := prog.(type) {
	case *ranking:
		return &prog.graphProgram
	case *breadthFirst:
		return &prog.graphProgram
	case *shortestPaths:
		return &prog.graphProgram
	case *components:
		return &prog.graphProgram
	}
	panic("a program of another kind")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestRank is a rank of a benchmark, in a process that the benchmark starts.
func TestRank(t *testing.T) {
	doc := os.Getenv(rankEnv)
	if doc == "" {
		t.Skip("it is what BenchmarkGang starts")
	}
	var j rankJob
	if err := json.Unmarshal([]byte(doc), &j); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	places := make([]mesh.Place, j.Size)
	for r := range places {
		places[r].Host = "h"
	}
	m, err := mesh.Join(ctx, mesh.Config{ID: "bench", Rank: j.Rank, Size: j.Size, Places: places, Dir: j.Dir})
	if err != nil {
		t.Fatal(err)
	}
	prog, err := New(j.Name, Setup{With: j.With, Graph: graph.Config{Weighted: j.Weighted, IDs: graph.Integers}})
	if err != nil {
		t.Fatal(err)
	}
	all := whole(t, j.File)
	f := all.Ranges[0].File
	at, end := f.Size*int64(j.Rank)/int64(j.Size), f.Size*int64(j.Rank+1)/int64(j.Size)
	watch := &stopwatch{Program: prog}
	if path := os.Getenv("ALGORITHM_BENCH_PROFILE"); path != "" {
		f, err := os.Create(fmt.Sprint(path, j.Rank))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			t.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	var report rankReport
	began := time.Now()
	err = peer.Run(ctx, peer.Config{Mesh: m, Cores: 1, Memory: j.Memory, Scratch: j.Dir, Output: watch,
		Splits:  []input.Split{{Ranges: []input.Range{{File: f, Offset: at, Length: end - at}}, Bytes: end - at}},
		Observe: func(s peer.Superstep) { report.Steps = append(report.Steps, s) },
	}, watch)
	if err != nil {
		t.Fatal(err)
	}
	report.Load, report.Run, report.CPU = watch.loaded.Sub(began), watch.done.Sub(watch.loaded), watch.cpuDone-watch.cpu
	for len(report.Steps) > 0 && report.Steps[0].Number < watch.step {
		report.Steps = report.Steps[1:]
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	report.Resident = u.Maxrss << 10
	b, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(j.Dir, fmt.Sprint("report", j.Rank)), b, 0o600); err != nil {
		t.Fatal(err)
	}
	m.Abort()
}

// runGang runs a gang of processes, of one core each.
func runGang(b *testing.B, size int, j rankJob) []rankReport {
	b.Helper()
	j.Dir, j.Size = b.TempDir(), size
	ranks := make([]*exec.Cmd, size)
	for r := range ranks {
		j.Rank = r
		doc, err := json.Marshal(j)
		if err != nil {
			b.Fatal(err)
		}
		c := exec.Command(os.Args[0], "-test.run=^TestRank$")
		c.Env = append(os.Environ(), rankEnv+"="+string(doc), "GOMAXPROCS=2")
		c.Stdout, c.Stderr = os.Stderr, os.Stderr
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		ranks[r] = c
	}
	reports := make([]rankReport, size)
	for r, c := range ranks {
		if err := c.Wait(); err != nil {
			b.Fatal(err)
		}
		doc, err := os.ReadFile(filepath.Join(j.Dir, fmt.Sprint("report", r)))
		if err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal(doc, &reports[r]); err != nil {
			b.Fatal(err)
		}
	}
	return reports
}

// rmatFile writes the graph of a scale, unless it is there.
func rmatFile(b *testing.B, scale int, weighted bool) string {
	b.Helper()
	path := filepath.Join(os.Getenv("ALGORITHM_BENCH_DIR"), fmt.Sprintf("rmat%d.%v.tsv", scale, weighted))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	for _, e := range graphtest.RMAT(scale, 16, 1) {
		line = strconv.AppendUint(line[:0], uint64(e.Source), 10)
		line = append(line, '\t')
		line = strconv.AppendUint(line, uint64(e.Target), 10)
		if weighted {
			line = append(line, '\t')
			line = strconv.AppendUint(line, uint64(e.Weight), 10)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			b.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	return path
}

// sourceOf is a vertex of the graph that has an edge.
func sourceOf(scale int) int { return int(graphtest.RMATSource(scale, 1)) }

// BenchmarkGang runs gangs of processes on an R-MAT graph of edge factor 16:
// ALGORITHM_BENCH_DIR names a folder for it, which may be kept, and
// ALGORITHM_BENCH_SCALE its scale, else 16.
func BenchmarkGang(b *testing.B) {
	if os.Getenv("ALGORITHM_BENCH_DIR") == "" {
		b.Skip("ALGORITHM_BENCH_DIR is not set")
	}
	scale, err := strconv.Atoi(os.Getenv("ALGORITHM_BENCH_SCALE"))
	if err != nil {
		scale = 16
	}
	megabytes, err := strconv.ParseInt(os.Getenv("ALGORITHM_BENCH_MEMORY"), 10, 64)
	if err != nil {
		megabytes = 8 << 10
	}
	for _, c := range []struct {
		name     string
		with     map[string]any
		weighted bool
		rounds   float64
	}{
		{"pagerank", map[string]any{"iterations": 10}, false, 10},
		{"bfs", map[string]any{"source": sourceOf(scale)}, false, 1},
		{"wcc", nil, false, 1},
		{"sssp", map[string]any{"source": sourceOf(scale)}, true, 1},
	} {
		for _, size := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) {
				j := rankJob{File: rmatFile(b, scale, c.weighted), Name: c.name, With: c.with, Weighted: c.weighted, Memory: megabytes << 20}
				edges := 2 * float64(int(16)<<scale) * c.rounds
				for b.Loop() {
					reports := runGang(b, size, j)
					r := reports[0]
					cpu, resident := time.Duration(0), int64(0)
					for _, x := range reports {
						cpu += x.CPU
						resident += x.Resident
					}
					b.ReportMetric(r.Load.Seconds(), "load-s")
					b.ReportMetric(r.Run.Seconds(), "run-s")
					b.ReportMetric(edges/1e6/r.Run.Seconds(), "Medges/s")
					b.ReportMetric(edges/1e6/cpu.Seconds(), "Medges/cpu-s")
					b.ReportMetric(float64(resident)/1e6, "MB")
					if testing.Verbose() {
						for _, s := range r.Steps {
							b.Logf("superstep %d: compute %v, send %v, wait %v, %d bytes, %d active", s.Number, s.Compute, s.Send, s.Wait, s.Bytes, s.Active)
						}
					}
				}
			})
		}
	}
}

// BenchmarkSingle is the references on the same graph, on one thread.
func BenchmarkSingle(b *testing.B) {
	if os.Getenv("ALGORITHM_BENCH_DIR") == "" {
		b.Skip("ALGORITHM_BENCH_DIR is not set")
	}
	scale, err := strconv.Atoi(os.Getenv("ALGORITHM_BENCH_SCALE"))
	if err != nil {
		scale = 16
	}
	var from, to []uint32
	var weights []float64
	for _, e := range graphtest.RMAT(scale, 16, 1) {
		from, to, weights = append(from, e.Source), append(to, e.Target), append(weights, e.Weight)
	}
	g := reference.Build(1<<scale, from, to, weights, false)
	edges := float64(len(g.Targets))
	degree := degrees(g)
	for _, c := range []struct {
		name   string
		rounds float64
		run    func()
	}{
		{"pagerank", 10, func() { reference.PageRank(g, degree, 10, 0.85, nil) }},
		{"bfs", 1, func() { reference.BFS(g, uint32(sourceOf(scale))) }},
		{"wcc", 1, func() { reference.Components(g) }},
		{"sssp", 1, func() { reference.ShortestPaths(g, uint32(sourceOf(scale))) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			before := cpuTime()
			for b.Loop() {
				c.run()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "run-s")
			b.ReportMetric(edges*c.rounds*float64(b.N)/1e6/b.Elapsed().Seconds(), "Medges/s")
			b.ReportMetric(edges*c.rounds*float64(b.N)/1e6/(cpuTime()-before).Seconds(), "Medges/cpu-s")
		})
	}
}
