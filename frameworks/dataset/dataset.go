// Package dataset is how a document names the files or objects a job reads and
// the folder it writes: what every framework that reads records has in common.
// Package input finds, cuts and reads such files, package output writes a result
// and makes it visible at once.
package dataset

import "github.com/capstan-run/capstan/core"

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
	// SplitSize is the most bytes that one task reads; default 64Mi, or
	// [CombinedSplitSize] in a job that combines.
	SplitSize core.Bytes `json:"splitSize,omitempty"`
	// MaxRecord is the longest record; default 16Mi. A longer one is a bad record.
	MaxRecord core.Bytes `json:"maxRecord,omitempty"`
	// AllowEmpty accepts a pattern that matches no file.
	AllowEmpty bool `json:"allowEmpty,omitempty"`
}

// Output is where the result goes.
type Output struct {
	Path        string `json:"path"`                  // file:// or s3://, a folder
	Format      string `json:"format,omitempty"`      // text (default: key TAB value), csv, json, parquet, arrow, fixed
	IfExists    string `json:"ifExists,omitempty"`    // "fail" (default), "replace"
	Compression string `json:"compression,omitempty"` // none, gzip, zstd; parquet: also snappy (its default zstd)
}

// Defaults of an input's fields.
const (
	// DefaultSplitSize is such that the pairs of a split fit a task's memory,
	// and CombinedSplitSize is for jobs that combine: what their tasks hold and
	// write goes by the keys, and fewer tasks write them fewer times.
	DefaultSplitSize  = core.Bytes(64 << 20)
	CombinedSplitSize = core.Bytes(512 << 20)
	DefaultMaxRecord  = core.Bytes(16 << 20)
)
