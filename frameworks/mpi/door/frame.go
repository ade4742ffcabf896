package door

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// A conversation is one request and then frames both ways: a byte of kind, the
// length in four bytes, big endian, and so many bytes.
const (
	request   = 'R' // a [Command], from who asks
	input     = 'I' // of its standard input; empty: that has ended
	output    = 'O'
	complaint = 'E'
	exit      = 'X' // an ending; the last frame
)

const maxFrame = 1 << 20

// Command is what somebody wants to be run.
type Command struct {
	Member int      `json:"member"` // executor
	Argv   []string `json:"argv"`
	Env    []string `json:"env,omitempty"` // beside the keeper's own
	Dir    string   `json:"dir,omitempty"` // "": the keeper's own
}

// ending is how a command ended.
type ending struct {
	Code  int    `json:"code"`
	Fault string `json:"fault,omitempty"` // it was not run at all
}

// writer writes frames; its methods may be called from any goroutine.
type writer struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *writer) frame(kind byte, body []byte) error {
	b := make([]byte, 5, 5+len(body))
	b[0] = kind
	binary.BigEndian.PutUint32(b[1:], uint32(len(body)))
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.w.Write(append(b, body...))
	return err
}

func (w *writer) value(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.frame(kind, b)
}

// stream is one kind of frames as an io.Writer.
type stream struct {
	*writer
	kind byte
}

func (s stream) Write(p []byte) (int, error) {
	for n := 0; n < len(p); n += maxFrame {
		if err := s.frame(s.kind, p[n:min(len(p), n+maxFrame)]); err != nil {
			return n, err
		}
	}
	return len(p), nil
}

// read reads a frame.
func read(r io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return head[0], body, err
}
