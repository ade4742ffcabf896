// Package spec is the body of a MapReduce document: its Go form, its JSON
// Schema, its defaults and its checks.
package spec

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
)

// Body is what stands under `spec:`.
type Body struct {
	Input   Input   `json:"input"`
	Map     Step    `json:"map"`
	Combine *Step   `json:"combine,omitempty"`
	Reduce  *Step   `json:"reduce,omitempty"` // nil: a map-only job
	Shuffle Shuffle `json:"shuffle,omitzero"`
	Output  Output  `json:"output"`
	// Preview asks for a few rows in the job's report.
	Preview *Preview `json:"preview,omitempty"`
	// OnBadRecord is "fail" (default) or "deadLetter".
	OnBadRecord string `json:"onBadRecord,omitempty"`
	Tasks       Tasks  `json:"tasks,omitzero"`
	// Files are shipped beside the programs: names of the submitter's files.
	Files []string `json:"files,omitempty"`
	// Env is added to the environment of exec steps.
	Env map[string]string `json:"env,omitempty"`
}

// Input is where records come from.
type Input = dataset.Input

// Step is user code: exactly one of Use, Exec, or Program with Use.
type Step struct {
	Use  string            `json:"use,omitempty"`  // a built-in, or a function of Program
	With map[string]string `json:"with,omitempty"` // arguments of a built-in
	// Exec is a command and its arguments; a long-lived process per task slot.
	Exec []string `json:"exec,omitempty"`
	As   string   `json:"as,omitempty"` // of Exec: "lines" (default) or "arrow"
	// Program is a Go program built on package mapreduce, shipped.
	Program string `json:"program,omitempty"`
	// KeyFields and Separator: Hadoop Streaming's stream.num.map.output.key.fields
	// and stream.map.output.field.separator. Defaults 1 and TAB.
	KeyFields int    `json:"keyFields,omitempty"`
	Separator string `json:"separator,omitempty"`
}

// Shuffle is how map output goes to reduce tasks: a task takes a partition, or
// several small ones.
type Shuffle struct {
	Partitions int    `json:"partitions,omitempty"` // parts of the result; default: twice the gang's cores, at least its size, and where nothing combines one for each 48 MiB of input
	By         string `json:"by,omitempty"`         // "hash" (default), "range" (sampled; total order), "first" (reducer 0 gets all)
	// PartitionFields: the first so many key fields choose the partition; the
	// whole key sorts (secondary sort). 0: the whole key.
	PartitionFields int `json:"partitionFields,omitempty"`
	// GroupFields: the first so many key fields make a group for one reduce call. 0: the whole key.
	GroupFields int    `json:"groupFields,omitempty"`
	Order       string `json:"order,omitempty"` // "ascending" (default), "descending", "numeric", "numeric-descending", "none"
	// Durability is what map output outlives (shuffle.Durability): "memory" keeps
	// up to a quarter of the executors' memory of it in shared memory and the rest
	// on disk, "disk" (default), "s3-async" also uploads it, "s3-sync" before the
	// map task counts.
	Durability string `json:"durability,omitempty"`
	// Compression of map output: "none" (default), "lz4", "zstd". Not with
	// durability memory.
	Compression string `json:"compression,omitempty"`
}

// Output is where the result goes.
type Output = dataset.Output

// StringList is one string or a list of them.
type StringList = dataset.StringList

// Preview asks for rows in the report: the first Limit by value or key.
type Preview struct {
	Limit int    `json:"limit,omitempty"` // default 20, at most 1000
	By    string `json:"by,omitempty"`    // "value" (default), "key"
	Order string `json:"order,omitempty"` // "descending" (default), "ascending"
}

// Tasks is how tasks are tried.
type Tasks struct {
	Attempts    int           `json:"attempts,omitempty"`    // default 4
	Timeout     core.Duration `json:"timeout,omitempty"`     // no progress for so long fails the attempt; default 10m
	Speculation *bool         `json:"speculation,omitempty"` // default true
	// Slots is the number of tasks an executor runs at once; default: its cores, rounded up.
	Slots int `json:"slots,omitempty"`
}
