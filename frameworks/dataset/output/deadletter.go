package output

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// DeadLetters writes bad records as JSON lines: file, offset, length, reason,
// and the record's beginning as "sample", or "sampleBase64" if it is no text.
type DeadLetters struct {
	w io.Writer
	n int64
}

// NewDeadLetters writes to w, usually a PartWriter of a DeadLetterPart.
func NewDeadLetters(w io.Writer) *DeadLetters { return &DeadLetters{w: w} }

type deadLetter struct {
	File         string `json:"file"`
	Offset       int64  `json:"offset"`
	Length       int64  `json:"length"` // -1: the rest of the file
	Line         int64  `json:"line,omitempty"`
	Reason       string `json:"reason"`
	Sample       string `json:"sample,omitempty"`
	SampleBase64 string `json:"sampleBase64,omitempty"`
}

// Add writes one bad record. It fits input.Options.Bad.
func (d *DeadLetters) Add(b input.Bad) error {
	l := deadLetter{File: b.File, Offset: b.Offset, Length: b.Length, Line: b.Line, Reason: b.Reason}
	if utf8.Valid(b.Sample) {
		l.Sample = string(b.Sample)
	} else {
		l.SampleBase64 = base64.StdEncoding.EncodeToString(b.Sample)
	}
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	d.n++
	_, err = d.w.Write(append(line, '\n'))
	return err
}

// Count is how many records were added.
func (d *DeadLetters) Count() int64 { return d.n }
