package work

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// plainCount is the single-threaded program of a dozen lines that a framework
// must beat.
func plainCount(path string) (map[string]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	counts := map[string]int{}
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	s.Split(bufio.ScanWords)
	for s.Scan() {
		counts[s.Text()]++
	}
	return counts, s.Err()
}

// BenchmarkWordCount runs the map task of a word count over 64 MiB of Go source
// beside the plain program, in turns, and reports MB per CPU second of both and
// their ratio.
func BenchmarkWordCount(b *testing.B) {
	text := sourceText(b, 64<<20)
	job := func(step string) string {
		return `{"input":{"path":"file:///x"},` + step + `,"reduce":{"use":"sum"},"output":{"path":"file:///y"}}`
	}
	for _, c := range []struct{ name, body string }{
		{"words", job(`"map":{"use":"words"}`)},
		{"letters", job(`"map":{"use":"words","with":{"pattern":"letters"}}`)},
		{"lines-tr", job(`"map":{"exec":["tr","-s","[:space:]","\n"]},"combine":{"use":"count"}`)},
		{"lines-cat", job(`"map":{"exec":["cat"]},"combine":{"use":"count"}`)},
	} {
		b.Run(c.name, func(b *testing.B) {
			w, _, splits := trial{body: c.body, text: string(text)}.worker(b)
			path := splits[0].Ranges[0].URL[len("file://"):]
			var ours, plain time.Duration
			n := 0
			for b.Loop() {
				at := cpuTime()
				if _, err := plainCount(path); err != nil {
					b.Fatal(err)
				}
				plain += cpuTime() - at
				at = cpuTime()
				_, failed := w.Run(b.Context(), &task.Run{Task: task.ID{Phase: task.Map, Index: n}, Split: splits[0], Partitions: 4}, nil)
				if failed != nil {
					b.Fatal(failed.Err.Error())
				}
				ours += cpuTime() - at
				n++
			}
			mb := float64(len(text)) * float64(n) / 1e6
			b.ReportMetric(mb/ours.Seconds(), "MB/cpu-s")
			b.ReportMetric(mb/plain.Seconds(), "plain-MB/cpu-s")
			b.ReportMetric(plain.Seconds()/ours.Seconds(), "ratio")
		})
	}
}

// cpuTime is this process's own, without its children.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage: %v", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSort sorts records as a map task without a combiner does.
func BenchmarkSort(b *testing.B) {
	text := string(sourceText(b, 16<<20))
	w, _, splits := trial{text: text, body: strings.Replace(wordCount, `"sum"`, `"first"`, 1)}.worker(b)
	b.SetBytes(int64(len(text)))
	n := 0
	for b.Loop() {
		_, failed := w.Run(b.Context(), &task.Run{Task: task.ID{Phase: task.Map, Index: n}, Split: splits[0], Partitions: 4}, nil)
		if failed != nil {
			b.Fatal(failed.Err.Error())
		}
		n++
	}
}
