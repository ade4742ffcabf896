package engine_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/frameworks/stream/engine"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// cpu is what this process and those that it waited for have used, in seconds.
func cpu(who int) float64 {
	var u unix.Rusage
	if unix.Getrusage(who, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkWordCount counts words exactly once, an epoch each second, in memory:
// lines → words → counts. What becomes of the counts is not part of it.
func BenchmarkWordCount(b *testing.B) {
	dir := b.TempDir()
	text := strings.Repeat("the quick brown fox jumps over the lazy dog and is gone\n", 200_000)
	if err := os.WriteFile(filepath.Join(dir, "0.txt"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	words := 0
	begun := cpu(unix.RUSAGE_SELF)
	for b.Loop() {
		top := wordCount(b, fileURL(dir, "*.txt"), fileURL(dir, "out"), 1)
		top.Epoch = time.Second
		top.Components, top.Edges = top.Components[:3], top.Edges[:2]
		if found := topology.Bind(top, operator.Catalog()); len(found) > 0 {
			b.Fatal(found)
		}
		if err := engine.Run(b.Context(), engine.Config{Topology: top, Store: new(snapshot.Memory), Owner: "a"}); err != nil {
			b.Fatal(err)
		}
		words += 12 * 200_000
	}
	b.ReportMetric(float64(words)/(cpu(unix.RUSAGE_SELF)-begun), "words/cpu-s")
}

// BenchmarkProcess splits lines by a process that asks for task ids, as Storm's
// do, with ids written ahead and without.
func BenchmarkProcess(b *testing.B) {
	for name, config := range map[string]map[string]any{"ahead": nil, "asked": {"capstan.multilang.ahead": false}} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			want := write(b, dir, 1, 2000)
			words := 0
			for _, n := range want {
				words += n
			}
			begun, theirs := cpu(unix.RUSAGE_SELF), cpu(unix.RUSAGE_CHILDREN)
			n := 0
			for b.Loop() {
				c := splitting(b, dir, nil, config)
				c.Logger = nil
				// To a reader that takes them by shuffle: the ids are known without
				// the values.
				with, _ := json.Marshal(operator.FilesWith{Path: fileURL(dir, "out")})
				c.Topology.Components[2] = topology.Component{ID: "out", Role: topology.Sink, Use: "files", With: with, At: "o"}
				c.Topology.Components = c.Topology.Components[:3]
				c.Topology.Edges = []topology.Edge{c.Topology.Edges[0], {From: "words", To: "out", At: "1"}}
				for i := range c.Topology.Components {
					c.Topology.Components[i].Tasks, c.Topology.Components[i].Parallelism = 1, 1
				}
				if found := topology.Bind(c.Topology, operator.Catalog()); len(found) > 0 {
					b.Fatal(found)
				}
				if err := engine.Run(b.Context(), c); err != nil {
					b.Fatal(err)
				}
				n += words
			}
			b.ReportMetric(float64(n)/(cpu(unix.RUSAGE_SELF)-begun), "emits/host-cpu-s")
			b.ReportMetric(float64(n)/(cpu(unix.RUSAGE_CHILDREN)-theirs), "emits/process-cpu-s")
		})
	}
}
