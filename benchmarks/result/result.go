package result

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/machine"
)

// Result is one run of the harness.
type Result struct {
	Taken   time.Time       `json:"taken"`
	Version string          `json:"version"` // of Capstan
	Machine machine.Machine `json:"machine"`
	// WholeCPU says that CPU seconds count all processes of a run, also those
	// that outlived their parents.
	WholeCPU bool     `json:"wholeCPU"`
	Samples  []Sample `json:"samples"`
	Notes    []string `json:"notes,omitempty"`
	// Steps are the supersteps of one job of the graph workload.
	Steps []graph.Step `json:"steps,omitempty"`
}

// Workloads.
const (
	WordCount = "wordcount"
	Latency   = "latency"
	Files     = "files"
	Gang      = "gang"
	Exchange  = "exchange"
	Store     = "store"
	Mesh      = "mesh"
	TeraSort  = "terasort"
	Skew      = "skew"
	Kill      = "kill"
	Graph     = "graph"

	Sweep = "exchange sweep" // a part of exchange
)

// Workloads are all of them.
func Workloads() []string {
	return []string{WordCount, Latency, Files, Gang, Exchange, Store, Mesh, TeraSort, Skew, Kill, Graph}
}

// Series: who did the work, and how.
const (
	BuiltIn   = "capstan built-in"
	Typed     = "capstan Go typed"
	Lines     = "capstan lines (tr)"
	Combining = "capstan lines (awk)" // counts within each task
	Single    = "single-threaded Go"
	SparkRDD  = "spark RDD"
	SparkSQL  = "spark DataFrame"

	Sort      = "capstan sort" // of terasort
	SparkSort = "spark sort"   // without the start of Spark

	EvenKeys   = "keys drawn evenly" // of skew
	HotKey     = "half of all rows on one key"
	EvenGroups = "groups of keys drawn evenly"
	HotGroup   = "half of all rows in one group of keys"

	Undisturbed    = "undisturbed" // of kill
	KilledMapping  = "one executor killed while mapping"
	KilledReducing = "one executor killed while reducing"

	FirstJob  = "first job, no host running" // of latency
	WarmJob   = "job on a warm host"
	OneFile   = "one file" // of files
	ManyFiles = "many files"
	ColdGang  = "cold gang" // of gang: submitted until all executors joined
	WarmGang  = "warm gang"
	BareStart = "bare create and start"

	FileExchange   = "exchange by files" // of exchange: what 100-byte rows take
	ArenaExchange  = "exchange by an arena"
	MemoryExchange = "exchange by this process's memory"
	Memcpy         = "copying memory"
	BareCRC        = "a bare checksum"
	BareWrite      = "writing to a file"
	DiskExchange   = "exchange by the disk, twice the budget" // in wall time
	RawDisk        = "the bare disk, as many bytes"
	RawDevice      = "the bare disk, the bytes that reached it"
	Requests       = "requests to the store" // with "PUT " or "GET " before it: counted
	// Shuffle and Spark's are of the same records by as many threads, in wall
	// time.
	Shuffle           = "capstan shuffle"
	SparkRDDShuffle   = "spark RDD shuffle"
	SparkFrameShuffle = "spark DataFrame shuffle"

	GraphKernel  = "capstan"             // of graph, each behind its algorithm: see GraphSeries
	GraphParted  = "capstan, parted by " // and by what
	SparkGraph   = "GraphX"
	CPP          = "C++, two threads"
	EmptySteps   = "empty superstep"
	NoCheckpoint = "no checkpoint, of 50"
	Checkpointed = "checkpoint each 5 of 50"
	GraphKilled  = "killed until it goes on"
	GraphAmple   = "memory as it likes"
	GraphThird   = "a third of that memory"
	GraphAtRest  = "memory at rest"
	GraphAnswers = "capstan, held against NetworkX"

	StorePeer = "minio-go" // of store: with "put, " or "get, " before it

	MeshShared = "mesh, shared memory" // of mesh
	MeshHanded = "mesh, shared memory, handed over"
	MPICH      = "MPICH"
	MeshTCP    = "mesh, TCP"
	MeshMTLS   = "mesh, TCP with mTLS"
	IPerf      = "iperf3"
	IPerfWide  = "iperf3, as many streams"
)

// GraphSeries is a series of graph: an algorithm and who ran it.
func GraphSeries(algorithm, who string) string { return algorithm + ", " + who }

// Wide is an exchange's series with 2000 partitions.
func Wide(series string) string { return series + ", 2000 partitions" }

// Warm is a series of kill on a host that keeps gangs ready.
func Warm(series string) string { return series + ", gang kept ready" }

// Ours reports whether k is a run of Capstan or of a part of it.
func (k Key) Ours() bool {
	switch k.Workload {
	case Exchange, Sweep:
		return !slices.Contains([]string{Memcpy, BareCRC, BareWrite, RawDisk, RawDevice, SparkRDDShuffle, SparkFrameShuffle}, k.Series)
	case Store:
		return !strings.HasSuffix(k.Series, StorePeer)
	case Mesh:
		return strings.HasPrefix(k.Series, "mesh")
	}
	return k.Executors > 0 && k.Series != BareStart
}

// Key tells what was run.
type Key struct {
	Workload  string `json:"workload"`
	Series    string `json:"series"`
	Launcher  string `json:"launcher,omitempty"`  // of Capstan's own
	Executors int    `json:"executors,omitempty"` // of Capstan's own; containers in the gang workload
	Bytes     int64  `json:"bytes,omitempty"`     // asked for
	Scale     int    `json:"scale,omitempty"`     // of the graph
}

// Sample is one run.
type Sample struct {
	Key
	Repetition int     `json:"repetition"`
	Input      int64   `json:"input,omitempty"`   // bytes read
	Wall       float64 `json:"wall"`              // from command to result
	CPU        float64 `json:"cpu,omitempty"`     // of all processes and containers
	Workers    float64 `json:"workers,omitempty"` // CPU of the executors alone
	Script     float64 `json:"script,omitempty"`  // CPU of the script run alone over the same bytes
	Load       float64 `json:"load"`              // of the machine before the run
	// Loop is the part of Wall in which a graph's algorithm ran, with the graph in
	// memory, and Edges the edges it went over, all iterations together. An
	// undirected edge counts twice. Loading is the part in which the graph was read.
	Loop    float64 `json:"loop,omitempty"`
	Loading float64 `json:"loading,omitempty"`
	Edges   int64   `json:"edges,omitempty"`
	// Late says that the run was given up after Wall, unfinished.
	Late bool `json:"late,omitempty"`
	// Held is the memory that the executors of a graph's job hold between two of its
	// supersteps beyond what they held before they loaded the graph, and Arrays what
	// their arrays are known to take of it, in bytes. Stored is the edges that they
	// hold; an undirected one counts twice.
	Held   int64 `json:"held,omitempty"`
	Arrays int64 `json:"arrays,omitempty"`
	Stored int64 `json:"stored,omitempty"`
	// Count and Limit are of a sample that counts instead of timing: how many
	// there were, and the most that its goal allows.
	Count float64 `json:"count,omitempty"`
	Limit float64 `json:"limit,omitempty"`
}

// Rate is the input over the CPU of everything but the user's script.
func (s Sample) Rate() float64 { return rate(s.Input, s.CPU-s.Script) }

// WorkerRate is the input over the CPU of the executors without the user's
// script.
func (s Sample) WorkerRate() float64 { return rate(s.Input, s.Workers-s.Script) }

func rate(bytes int64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(bytes) / 1e6 / seconds
}

// EdgeRate is 10^6 edges per second of the loop and core; cores are executors,
// or 2 of the program with two threads.
func (s Sample) EdgeRate() float64 {
	cores := max(1, s.Executors)
	if strings.HasSuffix(s.Series, CPP) {
		cores = 2
	}
	if s.Loop <= 0 {
		return 0
	}
	return float64(s.Edges) / 1e6 / s.Loop / float64(cores)
}

// HeldPerEdge is the memory at rest over the edges stored.
func (s Sample) HeldPerEdge() float64 { return perEdge(s.Held, s.Stored) }

// ArraysPerEdge is the arrays over the edges stored.
func (s Sample) ArraysPerEdge() float64 { return perEdge(s.Arrays, s.Stored) }

func perEdge(bytes, edges int64) float64 {
	if edges == 0 {
		return 0
	}
	return float64(bytes) / float64(edges)
}

// Read reads a result's JSON form.
func Read(path string) (*Result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Result)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// JSON is the result's JSON form.
func (r *Result) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}
