// Package spec is the body of a MapReduce document: its Go form, its JSON
// Schema, its defaults and its checks.
package spec

import "github.com/capstan-run/capstan/core"

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
type Input struct {
	// Path is a URL or list of URLs: file:// or s3://, a file, a directory
	// (recursive) or a glob with * ? [] ** {}. Compressed files (.gz, .zst)
	// are recognised by name and magic.
	Path   StringList `json:"path"`
	Format string     `json:"format,omitempty"` // text (default), csv, json, parquet, arrow, fixed
	// Encoding is "utf-8" (default; a line that is not is a bad record) or "bytes".
	Encoding string `json:"encoding,omitempty"`
	// Header, Delimiter: CSV only. Header default true, Delimiter ",".
	Header    *bool    `json:"header,omitempty"`
	Delimiter string   `json:"delimiter,omitempty"`
	Columns   []string `json:"columns,omitempty"` // projection, for parquet and arrow
	// RecordLength, KeyLength: of fixed records, in bytes. The first so many bytes
	// of a record are its key; default all.
	RecordLength int `json:"recordLength,omitempty"`
	KeyLength    int `json:"keyLength,omitempty"`
	// SplitSize is the most bytes in one map task; default 64Mi, or 512Mi in a
	// job that combines.
	SplitSize core.Bytes `json:"splitSize,omitempty"`
	// MaxRecord is the longest record; default 16Mi. A longer one is a bad record.
	MaxRecord core.Bytes `json:"maxRecord,omitempty"`
	// AllowEmpty accepts a pattern that matches no file.
	AllowEmpty bool `json:"allowEmpty,omitempty"`
}

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
type Output struct {
	Path        string `json:"path"`                  // file:// or s3://, a folder
	Format      string `json:"format,omitempty"`      // text (default: key TAB value), csv, json, parquet, arrow, fixed
	IfExists    string `json:"ifExists,omitempty"`    // "fail" (default), "replace"
	Compression string `json:"compression,omitempty"` // none, gzip, zstd; parquet: also snappy (its default zstd)
}

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
