package input

import (
	"context"
	"io"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Defaults of spec.input.
const (
	DefaultSplitSize = 64 << 20
	DefaultMaxRecord = 16 << 20
)

// Store is what reading s3:// inputs needs of the object store. Paths are
// "bucket/key".
// A *store.Client is one.
type Store interface {
	// Get opens length bytes from off. Info.Size is the whole object's.
	Get(ctx context.Context, path string, off, length int64) (io.ReadCloser, store.Info, error)
}

// Options says how to read.
type Options struct {
	Store Store // for s3:// files; may be nil without them

	Format    string   // text (default), csv, json, parquet, arrow, fixed
	Binary    bool     // records need not be UTF-8
	MaxRecord int64    // bytes in the longest record, line end not counted; default DefaultMaxRecord
	NoHeader  bool     // CSV: the first line is a record
	Delimiter rune     // CSV: default ','
	Columns   []string // Parquet, Arrow: the columns to read; nil for all
	Buffer    int      // bytes in a block; default 1 MiB, less only in tests
	BatchRows int      // rows in a record of the structured formats; default 16384
	Sample    bool     // Parquet: only the first record of a few row groups of each range

	// RecordLength and KeyLength, in bytes, of fixed records: 0 < KeyLength <= RecordLength.
	RecordLength, KeyLength int
	// Memory, if set, holds records of fixed length until they are released.
	Memory *arena.Pool

	// Bad is told of every bad record, on the reader's goroutine. Its error ends
	// the reader and comes back from Next as it is; nil goes on. A nil Bad makes
	// every bad record an error (Bad.Err).
	Bad func(Bad) error
}

// OptionsOf takes the options from a document. Its faults were found by the
// check of the document.
func OptionsOf(in dataset.Input, st Store, bad func(Bad) error) Options {
	o := Options{
		Store:     st,
		Format:    in.Format,
		Binary:    in.Encoding == "bytes",
		MaxRecord: int64(in.MaxRecord),
		NoHeader:  in.Header != nil && !*in.Header,
		Columns:   in.Columns,
		Bad:       bad,

		RecordLength: in.RecordLength, KeyLength: in.KeyLength,
	}
	for _, r := range in.Delimiter {
		o.Delimiter = r
		break
	}
	return o
}

func (o *Options) setDefaults() {
	if o.Format == "" {
		o.Format = "text"
	}
	if o.MaxRecord <= 0 {
		o.MaxRecord = DefaultMaxRecord
	}
	if o.Delimiter == 0 {
		o.Delimiter = ','
	}
	if o.Buffer <= 0 {
		o.Buffer = 1 << 20
	}
	if o.BatchRows <= 0 {
		o.BatchRows = 16384
	}
}

// sizeText writes a limit as a user writes it: "16Mi".
func sizeText(n int64) string { return core.Bytes(n).String() }
