// Package task holds what a MapReduce coordinator and its workers say to each
// other: tasks down, results up. Messages travel as [Encode]d [Down] and [Up].
package task

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/output"
	"github.com/capstan-run/capstan/shuffle"
)

// Phase is what a task does.
type Phase string

const (
	Sample Phase = "sample" // read a little of each split, answer keys: for range partitioning
	Map    Phase = "map"
	Reduce Phase = "reduce"
)

// ID names a task within an attempt of the job.
type ID struct {
	Phase Phase
	Index int // 0-based within the phase
}

func (i ID) String() string { return fmt.Sprintf("%s-%05d", i.Phase, i.Index) }

// Down is a coordinator's message to a worker; one field is set.
type Down struct {
	Run    *Run
	Cancel *Cancel
	Query  *Query
	// Forget names exchange files that no one will read again.
	Forget []string
}

// Run asks for one attempt at a task.
type Run struct {
	Task ID
	// Try is unique among the tries of the task, over all generations of the
	// coordinator: with Task it names every file the try makes.
	Try   int
	Split input.Split
	// Partitions is the number of reduce tasks; 0 in a map-only job.
	Partitions int
	// Bounds are the sampled upper key bounds, exclusive, of partitions 0, 1, ...,
	// for range. They ascend; with fewer than Partitions-1 the last partitions are empty.
	Bounds [][]byte
	// Sources are the map outputs a reduce task reads; it takes partition Task.Index of each.
	Sources []*shuffle.Index
}

// Cancel stops a try: a speculative copy that lost, or a source that vanished.
type Cancel struct {
	Task ID
	Try  int
}

// Query asks for an Inventory: sent by a new generation of the coordinator.
type Query struct{}

// Up is a worker's message to the coordinator; one field is set.
type Up struct {
	Progress  *Progress
	Done      *Done
	Failed    *Failed
	Inventory *Inventory
}

// Progress of a running try, at most four times a second.
type Progress struct {
	Task    ID
	Try     int
	Bytes   int64 // input bytes so far
	Records int64
	Status  string // reporter:status
	Beats   int64  // signs of life that no count shows, so far
}

// Done is a finished try and what it made.
type Done struct {
	Task        ID
	Try         int
	Index       *shuffle.Index // map tasks of a job with reduce
	Part        *output.Part   // tasks that write output
	SideParts   []output.Part  // dead letters, side files
	Keys        [][]byte       // Sample: a sample of keys, in order
	Counters    map[string]int64
	BytesIn     int64
	RecordsIn   int64
	RecordsOut  int64
	DeadLetters int64
	CPUNanos    int64
	Preview     []PreviewRow
	// Read is [RowHash] of what a reduce task read: its result counts only with
	// the map outputs it came from.
	Read uint64
}

// PreviewRow is a candidate for the report's preview.
type PreviewRow struct {
	Key, Value string
	Sort       []byte  // what orders the key, where its text does not: a number's encoding
	Num        float64 // of the value, if it is a number
	IsNum      bool
}

// Failed is a try that ended with an error.
type Failed struct {
	Task ID
	Try  int
	Err  core.Error // Err.Err is dropped
	// Lost lists the map tasks whose output could not be read from any rung.
	Lost []int
	// Fatal says that another try cannot help (a bad record, a bad spec).
	Fatal bool
}

// Inventory is what a worker holds: finished tries whose data still lies with
// it, and running ones. A long one comes in several messages.
type Inventory struct {
	Done    []Done
	Running []Progress
	More    bool // another message of the same inventory follows
}

// RowHash is the wrapping sum of the row hashes of partition p over indexes
// that hold all partitions. With p < 0 each index is a slice of one partition.
func RowHash(indexes []*shuffle.Index, p int) uint64 {
	var sum uint64
	for _, x := range indexes {
		if x == nil {
			continue
		}
		at := max(p, 0)
		if at < len(x.Partitions) {
			sum += x.Partitions[at].RowHash
		}
	}
	return sum
}
