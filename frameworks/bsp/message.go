package bsp

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/capstan-run/capstan/core"
)

// Send sends v to a rank, as the bytes of its type.
func Send[T any](p *Peer, to int, v T) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	return p.Send(to, b)
}

// Broadcast sends v to all ranks, this one included.
func Broadcast[T any](p *Peer, v T) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	return p.Broadcast(b)
}

// Messages yields the values that were sent to this rank in the superstep that
// ended, and who sent them. All must be of type T: one that is not ends the
// iteration, and the job with the next Sync.
func Messages[T any](p *Peer) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for from, b := range p.Messages() {
			v, err := decode[T](b)
			if err != nil {
				e := core.Errorf(core.Failed, "a message of %d bytes from rank %d is no %T", len(b), from, v).
					At(fmt.Sprintf("superstep %d", p.Superstep())).Do("send values of one type in a superstep")
				e.Err = err
				p.Fail(e)
				return
			}
			if !yield(from, v) {
				return
			}
		}
	}
}

// encode is the bytes of a message.
func encode[T any](v T) ([]byte, error) {
	switch v := any(v).(type) {
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	}
	// binary.Size is less than 0 for what has no fixed size; a slice has one,
	// but its reader could not know it.
	if isFixed(v) {
		return binary.Append(nil, binary.LittleEndian, v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		e := core.Errorf(core.Invalid, "a %T cannot be a message", v).At("bsp.Send").Do("send what encoding/json can write")
		e.Err = err
		return nil, e
	}
	return b, nil
}

func decode[T any](b []byte) (v T, err error) {
	switch p := any(&v).(type) {
	case *string:
		*p = string(b)
		return v, nil
	case *[]byte:
		*p = b
		return v, nil
	}
	if !isFixed(v) {
		return v, json.Unmarshal(b, &v)
	}
	n, err := binary.Decode(b, binary.LittleEndian, &v)
	if err == nil && n != len(b) {
		err = fmt.Errorf("%d bytes too many", len(b)-n)
	}
	return v, err
}
