package input

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// SampleSize is the most bytes of a bad record that are kept to show.
const SampleSize = 1 << 10

// Bad is a record that could not be delivered, or the unreadable rest of a file.
type Bad struct {
	File   string // URL
	Offset int64  // of its first byte in the (decompressed) file; -1 if that says nothing, as in Parquet
	Length int64  // in bytes; 0 where that is not known; -1 for the rest of the file
	Line   int64  // from 1, where somebody counted lines ([LineOf]); else 0
	Reason string // "longer than 16Mi", "not UTF-8 at byte 12"
	Long   bool   // it is longer than Options.MaxRecord
	Sample []byte // its first SampleSize bytes; the callee owns it
}

// Where is the record's place: "file:///a.csv at byte 120 (line 7)".
func (b Bad) Where() string {
	w := b.File
	if b.Offset >= 0 {
		w += fmt.Sprintf(" at byte %d", b.Offset)
	}
	if b.Line > 0 {
		w += fmt.Sprintf(" (line %d)", b.Line)
	}
	return w
}

// Err is the error of a job that does not tolerate bad records.
func (b Bad) Err() *core.Error {
	what := "bad record: " + b.Reason
	remedy := "repair the record, or set onBadRecord: deadLetter to set such records aside"
	switch {
	case b.Long:
		remedy = "raise spec.input.maxRecord, or set onBadRecord: deadLetter to set such records aside"
	case b.Length < 0:
		what = b.Reason
		remedy = "replace the file, or set onBadRecord: deadLetter to go on without its rest"
	}
	return core.Errorf(core.Failed, "%s", what).At(b.Where()).Do(remedy)
}

// report hands b to the callback, or makes it an error.
func (o *Options) report(b Bad) error {
	if o.Bad == nil {
		return b.Err()
	}
	return o.Bad(b)
}

func sample(p []byte) []byte {
	return append([]byte(nil), p[:min(len(p), SampleSize)]...)
}
