// Command graphsingle runs a graph algorithm on one thread that has the whole
// graph in memory: the program to beat. Usage: graphsingle ALGORITHM INPUT OUTPUT
// SOURCE ITERATIONS. INPUT is lines of two ids, numbered from 0.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"log"
	"math"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/algorithm/reference"
)

func main() {
	runtime.GOMAXPROCS(1)
	algorithm, input, output := os.Args[1], os.Args[2], os.Args[3]
	source, err := strconv.ParseUint(os.Args[4], 10, 32)
	if err != nil {
		log.Fatal(err)
	}
	iterations, err := strconv.Atoi(os.Args[5])
	if err != nil {
		log.Fatal(err)
	}
	began := time.Now()
	g, err := load(input, algorithm == graph.SSSP)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loaded in %.3f s\n", time.Since(began).Seconds())
	began = time.Now()
	value := run(algorithm, g, uint32(source), iterations)
	fmt.Printf("ran in %.6f s\n", time.Since(began).Seconds())
	if err := write(output, g.N(), value); err != nil {
		log.Fatal(err)
	}
}

func run(algorithm string, g *reference.Graph, source uint32, iterations int) func([]byte, int) []byte {
	switch algorithm {
	case graph.PageRank:
		return numbers(reference.PageRank(g, degrees(g), iterations, 0.85, nil))
	case graph.WCC:
		return integers(reference.Components(g))
	case graph.SSSP:
		return numbers(reference.ShortestPaths(g, source))
	case graph.BFS:
		return integers(reference.BFS(g, source))
	case graph.CDLP:
		return integers(reference.Labels(g, iterations))
	case graph.LCC:
		return numbers(reference.Clustering(g))
	}
	log.Fatalf("there is no algorithm %s", algorithm)
	return nil
}

func degrees(g *reference.Graph) []uint32 {
	d := make([]uint32, g.N())
	for v := range d {
		d[v] = uint32(g.Offsets[v+1] - g.Offsets[v])
	}
	return d
}

func load(path string, weighted bool) (*reference.Graph, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := bytes.Count(data, []byte{'\n'})
	sources, targets := make([]uint32, 0, lines), make([]uint32, 0, lines)
	var weights []float64
	if weighted {
		weights = make([]float64, 0, lines)
	}
	most := uint32(0)
	for len(data) > 0 {
		var s, t uint32
		s, data = number(data)
		t, data = number(data)
		sources, targets = append(sources, s), append(targets, t)
		if weighted {
			weights = append(weights, graph.Weight(s, t))
		}
		most = max(most, s, t)
	}
	return reference.Build(int(most)+1, sources, targets, weights, false), nil
}

// number takes digits and the byte behind them.
func number(data []byte) (uint32, []byte) {
	n := uint32(0)
	for i, c := range data {
		if c < '0' || c > '9' {
			return n, data[i+1:]
		}
		n = 10*n + uint32(c-'0')
	}
	return n, nil
}

func numbers(list []float64) func([]byte, int) []byte {
	return func(line []byte, v int) []byte {
		if math.IsInf(list[v], 1) {
			return append(line, "infinity"...)
		}
		return strconv.AppendFloat(line, list[v], 'g', -1, 64)
	}
}

func integers[T uint32 | int64](list []T) func([]byte, int) []byte {
	return func(line []byte, v int) []byte { return strconv.AppendInt(line, int64(list[v]), 10) }
}

func write(path string, n int, value func([]byte, int) []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	for v := range n {
		line = append(strconv.AppendInt(line[:0], int64(v), 10), ' ')
		line = append(value(line, v), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
