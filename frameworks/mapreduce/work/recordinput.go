package work

import (
	"context"
	"errors"
	"io"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// feedRecords runs a mapper over a split of a structured format.
func (t *try) feedRecords(ctx context.Context, m Mapper, out Emitter, done *task.Done) error {
	rm := recordMapper(m)
	r := input.NewRecordReader(t.run.Split, t.options())
	defer r.Close()
	for {
		rec, at, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			done.BytesIn = r.Read()
			return nil
		}
		if err != nil {
			return err
		}
		t.state.at(at.File, at.Offset)
		err = rm.Record(ctx, rec, out)
		done.RecordsIn += rec.NumRows()
		rec.Release()
		if err != nil {
			return err
		}
		t.report(r.Read(), done.RecordsIn)
	}
}
