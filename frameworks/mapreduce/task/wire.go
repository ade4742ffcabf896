package task

import (
	"bytes"
	"encoding/gob"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/capstan-run/capstan/core"
)

// The first byte of a message says how the rest is packed.
const (
	plain  = 0 // gob
	packed = 1 // zstd over gob
)

const (
	// packAbove is where packing starts to pay: the sources of a reduce task
	// repeat one schema for each map task.
	packAbove = 16 << 10
	// maxMessage bounds what an unpacked message may take.
	maxMessage = 256 << 20
)

// Encode makes a message of v, a *Down or *Up. The chain of a failure's error
// is folded into its text: only text crosses.
func Encode(v any) ([]byte, error) {
	if up, ok := v.(*Up); ok && up.Failed != nil {
		v = &Up{Progress: up.Progress, Done: up.Done, Failed: up.Failed.flat(), Inventory: up.Inventory}
	}
	var b bytes.Buffer
	b.WriteByte(plain)
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	if b.Len() <= packAbove {
		return b.Bytes(), nil
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	return z.EncodeAll(b.Bytes()[1:], []byte{packed}), nil
}

// Decode reads a message into v, a *Down or *Up. The message comes from the
// job's own executor and may be anything: it is refused, or decoded in bounded
// memory.
func Decode(b []byte, v any) error {
	if len(b) == 0 {
		return fmt.Errorf("decode %T: empty message", v)
	}
	body := b[1:]
	switch b[0] {
	case plain:
	case packed:
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxMessage))
		if err != nil {
			return err
		}
		defer z.Close()
		if body, err = z.DecodeAll(body, nil); err != nil {
			return fmt.Errorf("decode %T: %w", v, err)
		}
	default:
		return fmt.Errorf("decode %T: unknown packing %d", v, b[0])
	}
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// flat is f with its error's cause in the text.
func (f *Failed) flat() *Failed {
	if f.Err.Err == nil {
		return f
	}
	g := *f
	g.Err = Flat(&f.Err)
	return &g
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
