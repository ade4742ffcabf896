package operator

import (
	"context"
	"encoding/json"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

// logSink writes a committed part's lines on a writer.
type logSink struct {
	w     io.Writer
	lines jsonLines
	part  []byte
}

func (l *logSink) Write(_ context.Context, in int, rec arrow.Record) error {
	l.part = l.lines.append(l.part, in, rec)
	return nil
}

func (l *logSink) Seal(context.Context, int64) (json.RawMessage, error) {
	if len(l.part) == 0 {
		return nil, nil
	}
	part, err := json.Marshal(string(l.part))
	l.part = nil
	return part, err
}

func (l *logSink) Publish(_ context.Context, part json.RawMessage) error {
	var text string
	if err := json.Unmarshal(part, &text); err != nil {
		return err
	}
	_, err := io.WriteString(l.w, text)
	return err
}
