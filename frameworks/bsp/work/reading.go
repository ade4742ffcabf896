package work

import (
	"context"
	"time"

	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// searching is how long the line of a bad record is looked for, before the job
// fails without it.
const searching = 5 * time.Second

// Reading says how an input is read. A job counts every record of its input, so
// that a bad one ends it, with its file, line and what to do.
func Reading(in dataset.Input, st input.Store) input.Options {
	o := input.OptionsOf(in, st, nil)
	plain := o
	o.Bad = func(b input.Bad) error {
		ctx, cancel := context.WithTimeout(context.Background(), searching)
		defer cancel()
		b.Line = input.LineOf(ctx, b, plain)
		return b.Err().Do(remedy(b))
	}
	return o
}

func remedy(b input.Bad) string {
	switch {
	case b.Long:
		return "raise spec.input.maxRecord, or take the record out"
	case b.Length < 0:
		return "replace the file"
	}
	return "repair the record, or take it out"
}
