package bsp

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// Lines yields the lines of this rank's part of a text input, without their
// ends. A line is valid until the next. The last pair has the error that ended
// the reading, if one did.
func Lines(ctx context.Context, p *Peer) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, s := range p.Splits() {
			if !linesOf(ctx, s, p.Reading(), yield) {
				return
			}
		}
	}
}

func linesOf(ctx context.Context, s input.Split, o input.Options, yield func([]byte, error) bool) bool {
	r := input.NewBlockReader(s, o)
	defer r.Close()
	for {
		block, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			yield(nil, err)
			return false
		}
		for _, line := range block.Lines() {
			if !yield(line, nil) {
				return false
			}
		}
	}
}

// Records yields the records of this rank's part of an input in CSV, JSON,
// Parquet, Arrow or records of a fixed length. A record is valid until the
// next, unless it is retained. The last pair has the error that ended the
// reading, if one did.
func Records(ctx context.Context, p *Peer) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		for _, s := range p.Splits() {
			if !recordsOf(ctx, s, p.Reading(), yield) {
				return
			}
		}
	}
}

func recordsOf(ctx context.Context, s input.Split, o input.Options, yield func(arrow.Record, error) bool) bool {
	r := input.NewRecordReader(s, o)
	defer r.Close()
	for {
		rec, _, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			yield(nil, err)
			return false
		}
		more := yield(rec, nil)
		rec.Release()
		if !more {
			return false
		}
	}
}
