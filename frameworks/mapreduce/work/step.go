package work

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// Mapper maps one task's input. It is used by one goroutine at a time, and is
// also a [BlockMapper] or a [RecordMapper], or both. A mapper that is not what
// the input format gives gets it converted: lines as records of one column
// "line", records as lines of JSON.
type Mapper interface {
	// Close ends the input: the mapper emits what it still holds. It is called
	// once, also after an error, and releases everything.
	Close(ctx context.Context, out Emitter) error
}

// BlockMapper maps whole lines, many at a time. The block is valid during the call.
type BlockMapper interface {
	Block(ctx context.Context, b input.Block, out Emitter) error
}

// RecordMapper maps a batch of records. It is valid during the call; Retain it
// to keep it.
type RecordMapper interface {
	Record(ctx context.Context, rec arrow.Record, out Emitter) error
}

// Reducer reduces the groups of one partition, in order.
type Reducer interface {
	Reduce(ctx context.Context, g *Group, out Emitter) error
	// Close is as a Mapper's.
	Close(ctx context.Context, out Emitter) error
}

// MapFunc is a program's own map function.
type MapFunc struct {
	Out Kinds
	New func(*Context) (Mapper, error)
}

// ReduceFunc is a program's own function for reduce or combine.
type ReduceFunc struct {
	In, Out Kinds
	New     func(*Context) (Reducer, error)
	// Fold, if set, is what the function does to whole values: combining then
	// needs no call.
	Fold Fold
}

// Registry holds a program's functions by their stable names. The zero value
// is a program without functions.
type Registry struct {
	Maps    map[string]MapFunc
	Reduces map[string]ReduceFunc
}

// noClose is the end of a step that holds nothing.
type noClose struct{}

func (noClose) Close(context.Context, Emitter) error { return nil }
