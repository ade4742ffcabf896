// Package task holds what a MapReduce coordinator and its workers say to each
// other: tasks down, results up. Messages travel as [Encode]d [Down] and [Up].
package task

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/shuffle"
)

// Phase is what a task does.
type Phase string

const (
	Sample Phase = "sample" // read a little of each split, answer keys: for range partitioning
	Map    Phase = "map"
	Merge  Phase = "merge" // combine one partition of some map outputs into an exchange file
	Reduce Phase = "reduce"
)

// ID names a task within an attempt of the job.
type ID struct {
	Phase Phase
	Index int // 0-based within the phase; of a reduce task the first partition it reads
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
	// Partitions is how many the job has; 0 in a map-only job.
	Partitions int
	// Bounds are the sampled upper key bounds, exclusive, of partitions 0, 1, ...,
	// for range. They ascend; with fewer than Partitions-1 the last partitions are empty.
	Bounds [][]byte
	// Lo and Hi: a reduce task reads the partitions Lo to Hi-1 and writes a part
	// for each of them; a merge task reads partition Lo, and Hi is Lo+1.
	Lo, Hi int
	// Sources hold those partitions. They are what map tasks made, or what merge
	// tasks did of one partition, in the order of the map tasks.
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
	Index       *shuffle.Index // map tasks of a job with reduce, and merge tasks
	Parts       []output.Part  // tasks that write output: one, or one for each partition
	SideParts   []output.Part  // dead letters, side files
	Keys        [][]byte       // Sample: a sample of keys, in order
	Counters    map[string]int64
	BytesIn     int64
	RecordsIn   int64
	RecordsOut  int64
	DeadLetters int64
	CPUNanos    int64
	Preview     []PreviewRow
	// ReadFrom is what the worker has read of exchange files since its last Done,
	// in bytes by rung, and Damaged how many copies it passed over for that.
	ReadFrom map[shuffle.Rung]int64
	Damaged  int64
	// Combined says that pairs of one key were combined, and can be again: a
	// partition of the job may be merged in parts.
	Combined bool
	// Read is [RowHash] of what a merge or reduce task read: its result counts
	// only with the exchange files it came from.
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
	// Lost lists the map and merge tasks whose output could not be read from any rung.
	Lost []ID
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

// RowHash tells which rows the partitions lo to hi-1 of indexes hold: of one
// partition it is the wrapping sum of the row hashes, which does not depend on
// the order of rows. An index that does not hold a partition has no rows of it.
func RowHash(indexes []*shuffle.Index, lo, hi int) uint64 {
	var all uint64
	for p := lo; p < hi; p++ {
		var sum uint64
		for _, x := range indexes {
			if at := p - x.First; at >= 0 && at < len(x.Partitions) {
				sum += x.Partitions[at].RowHash
			}
		}
		// The same rows in other partitions are another answer.
		all = all*partitionFactor + sum
	}
	return all
}

// partitionFactor is that of 64-bit FNV: odd, so that no partition is lost.
const partitionFactor = 1099511628211
