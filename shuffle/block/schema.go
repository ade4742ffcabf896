package block

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// EndOfStream is the mark that ends an Arrow IPC stream.
var EndOfStream = [8]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}

// MarshalSchema returns schema as an encapsulated Arrow IPC schema message, a
// multiple of [Alignment] bytes: the first message of a stream.
func MarshalSchema(schema *arrow.Schema) ([]byte, error) {
	if err := CheckSchema(schema); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := ipc.NewWriter(&buf, ipc.WithSchema(schema)).Close(); err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	msg, ok := bytes.CutSuffix(buf.Bytes(), EndOfStream[:])
	if !ok || len(msg)%8 != 0 {
		panic("block: arrow's stream writer changed its framing")
	}
	// What follows is aligned wherever it is moved, if this is too.
	msg = append(msg, make([]byte, Align(int64(len(msg)))-int64(len(msg)))...)
	binary.LittleEndian.PutUint32(msg[4:], uint32(len(msg)-8))
	return msg, nil
}

// UnmarshalSchema reads what [MarshalSchema] wrote. Only for bytes that came
// from the control plane (law B5).
func UnmarshalSchema(msg []byte) (*arrow.Schema, error) {
	stream := make([]byte, 0, len(msg)+len(EndOfStream))
	stream = append(append(stream, msg...), EndOfStream[:]...)
	r, err := ipc.NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, fmt.Errorf("decode schema: %w", err)
	}
	defer r.Release()
	if err := CheckSchema(r.Schema()); err != nil {
		return nil, err
	}
	return r.Schema(), nil
}
