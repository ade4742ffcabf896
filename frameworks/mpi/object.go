package mpi

import (
	"bytes"
	"context"
	"encoding/gob"
	"reflect"

	"github.com/capstan-run/capstan/core"
)

// SendObject sends a value of any type that package gob can encode. It costs far
// more than [Send], and takes what that refuses: strings, maps, pointers.
func SendObject[T any](ctx context.Context, c *Comm, to, tag int, value T) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&value); err != nil {
		return c.failed("encode an object for", to, tag, &core.Error{Kind: core.Invalid, What: "it has no encoding", Err: err})
	}
	return c.send(ctx, to, tag, trailer{kindObject, 1}, b.Bytes())
}

// RecvObject receives what [SendObject] sent.
func RecvObject[T any](ctx context.Context, c *Comm, from, tag int) (T, Status, error) {
	var value T
	m, err := c.RecvMessage(ctx, from, tag)
	if err != nil {
		return value, Status{}, err
	}
	defer m.Release()
	if m.Kind != reflect.Kind(kindObject) {
		return value, m.Status, c.failed("receive from", m.Source, m.Tag, core.Errorf(core.Invalid, "the sender's elements are %s, and no object", m.Kind))
	}
	if err := gob.NewDecoder(bytes.NewReader(m.Bytes)).Decode(&value); err != nil {
		return value, m.Status, c.failed("decode the object of", m.Source, m.Tag, err)
	}
	return value, m.Status, nil
}
