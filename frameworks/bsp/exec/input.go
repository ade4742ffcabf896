package exec

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// input sends this rank's part of the input, a stream for each split.
func (g *Program) input(ctx context.Context, p *peer.Peer) error {
	for _, s := range p.Splits() {
		var err error
		if f := p.Reading().Format; f == "" || f == "text" {
			err = g.lines(ctx, s, p.Reading())
		} else {
			err = g.records(ctx, s, p.Reading())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var lineField = arrow.Field{Name: "line", Type: arrow.BinaryTypes.Binary}

// lines sends text, a record for each block that is read.
func (g *Program) lines(ctx context.Context, s input.Split, o input.Options) error {
	r := input.NewBlockReader(s, o)
	defer r.Close()
	schema := schemaOf(lineField, nil, nil, "input")
	w := ipc.NewWriter(g.process.stdin, ipc.WithSchema(schema))
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	defer b.Release()
	for {
		block, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return innocent{err}
		}
		for _, line := range block.Lines() {
			b.Append(line)
		}
		column := b.NewArray()
		rec := array.NewRecord(schema, []arrow.Array{column}, int64(column.Len()))
		g.read += rec.NumRows()
		err = w.Write(rec)
		rec.Release()
		column.Release()
		if err != nil {
			return err
		}
	}
}

func (g *Program) records(ctx context.Context, s input.Split, o input.Options) error {
	r := input.NewRecordReader(s, o)
	defer r.Close()
	var w *ipc.Writer
	var has *arrow.Schema
	for {
		rec, _, err := r.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) && w == nil:
			return nil
		case errors.Is(err, io.EOF):
			return w.Close()
		case err != nil:
			return innocent{err}
		}
		// A split may hold files of different columns.
		if w == nil || !rec.Schema().Equal(has) {
			if w != nil {
				err = w.Close()
			}
			has = rec.Schema()
			w = ipc.NewWriter(g.process.stdin, ipc.WithSchema(arrow.NewSchema(has.Fields(), metadata(nil, "input"))))
		}
		if err == nil {
			g.read += rec.NumRows()
			err = w.Write(rec)
		}
		rec.Release()
		if err != nil {
			return err
		}
	}
}
