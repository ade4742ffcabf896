package task

import (
	"bytes"
	"encoding/gob"
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// Encode makes a message of v, a *Down or *Up. The chain of an error is folded
// into its text: only text crosses.
func Encode(v any) ([]byte, error) {
	if up, ok := v.(*Up); ok && up.Ended != nil {
		e := *up.Ended
		e.Err = Flat(&e.Err)
		v = &Up{Ended: &e}
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b.Bytes(), nil
}

// Decode reads a message into v, a *Down or *Up. The message comes from the
// job's own executor and may be anything: it is refused, or decoded.
func Decode(b []byte, v any) error {
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// Flat is e with the text of its cause moved into What, fit for the wire.
func Flat(e *core.Error) core.Error {
	g := *e
	if g.Err != nil {
		if g.What != "" {
			g.What += ": "
		}
		g.What += g.Err.Error()
		g.Err = nil
	}
	return g
}
