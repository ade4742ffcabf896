package exec

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/shuffle/partition"
)

var fromField = arrow.Field{Name: "from", Type: arrow.PrimitiveTypes.Int32}

// schemaOf is the schema of a stream of a kind: a first field and those of rest.
func schemaOf(first arrow.Field, rest []arrow.Field, about map[string]string, kind string) *arrow.Schema {
	fields := append([]arrow.Field{first}, rest...)
	return arrow.NewSchema(fields, metadata(about, kind))
}

func metadata(about map[string]string, kind string) *arrow.Metadata {
	all := map[string]string{"bsp": kind}
	for k, v := range about {
		all[k] = v
	}
	m := arrow.MetadataFrom(all)
	return &m
}

// withFrom is rec with its sender in front.
func withFrom(rec arrow.Record, from int, about map[string]string, kind string) arrow.Record {
	b := array.NewInt32Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(int(rec.NumRows()))
	for range rec.NumRows() {
		b.UnsafeAppend(int32(from))
	}
	column := b.NewArray()
	defer column.Release()
	return array.NewRecord(schemaOf(fromField, rec.Schema().Fields(), about, kind), append([]arrow.Array{column}, rec.Columns()...), rec.NumRows())
}

// send sends each row of rec to the rank that its first column names.
func send(p *peer.Peer, rec arrow.Record) error {
	at := rec.Schema().FieldIndices("to")
	if len(at) != 1 {
		return errors.New("its messages have no column to, or several")
	}
	to, ok := rec.Column(at[0]).(*array.Int32)
	if !ok {
		return fmt.Errorf("its messages have a column to of type %v, not int32", rec.Column(at[0]).DataType())
	}
	ids := make([]int32, rec.NumRows())
	all, everywhere := true, int32(p.Size())
	for i := range ids {
		switch r := to.Value(i); {
		case to.IsNull(i) || r == -1:
			ids[i] = everywhere
		case r < 0 || int(r) >= p.Size():
			return fmt.Errorf("a message goes to rank %d of %d ranks", r, p.Size())
		default:
			ids[i] = r
		}
		all = all && ids[i] == ids[0]
	}
	rest := without(rec, at[0])
	defer rest.Release()
	if len(ids) == 0 {
		return nil
	}
	if all {
		return deliver(p, ids[0], rest)
	}
	parts, err := partition.Scatter(memory.DefaultAllocator, rest, ids, p.Size()+1)
	if err != nil {
		return err
	}
	for id, part := range parts {
		if part == nil {
			continue
		}
		if err == nil && part.NumRows() > 0 {
			err = deliver(p, int32(id), part)
		}
		part.Release()
	}
	return err
}

func deliver(p *peer.Peer, id int32, rec arrow.Record) error {
	if int(id) < p.Size() {
		return wrap(p.SendRecord(int(id), rec))
	}
	for to := range p.Size() {
		if err := p.SendRecord(to, rec); err != nil {
			return innocent{err}
		}
	}
	return nil
}

func wrap(err error) error {
	if err != nil {
		return innocent{err}
	}
	return nil
}

// without is rec less a column, and less the stream's metadata.
func without(rec arrow.Record, at int) arrow.Record {
	var fields []arrow.Field
	var columns []arrow.Array
	for i, f := range rec.Schema().Fields() {
		if i != at {
			fields, columns = append(fields, f), append(columns, rec.Column(i))
		}
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), columns, rec.NumRows())
}
