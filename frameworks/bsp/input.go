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
			if !linesOf(ctx, p, s, yield) {
				return
			}
		}
	}
}

func linesOf(ctx context.Context, p *Peer, s input.Split, yield func([]byte, error) bool) bool {
	r := input.NewBlockReader(s, p.Reading())
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
		read, more := int64(0), true
		for _, line := range block.Lines() {
			read++
			if more = yield(line, nil); !more {
				break
			}
		}
		if p.ReadRecords(read); !more {
			return false
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
			if !recordsOf(ctx, p, s, yield) {
				return
			}
		}
	}
}

func recordsOf(ctx context.Context, p *Peer, s input.Split, yield func(arrow.Record, error) bool) bool {
	r := input.NewRecordReader(s, p.Reading())
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
		p.ReadRecords(rec.NumRows())
		more := yield(rec, nil)
		rec.Release()
		if !more {
			return false
		}
	}
}
