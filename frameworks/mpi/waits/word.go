package waits

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"sync"

	"github.com/capstan-run/capstan/core"
)

// Size is the length of a rank's page.
const Size = 4 << 10

const head = 12

// Word is a rank's page, as the rank writes it. Its methods may be called from
// any goroutine.
type Word struct {
	mu     sync.Mutex
	file   *os.File
	turn   uint64
	number uint64
}

// Map opens a rank's page at path, and makes it where it is not there.
func Map(path string) (*Word, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Truncate(Size)
	}
	if err != nil {
		return nil, &core.Error{Kind: core.Failed, What: "open the page in which this rank says what it waits for", Where: path, Err: err}
	}
	return &Word{file: f}, nil
}

// Set says what the rank waits for, as a new wait where Number is 0.
func (w *Word) Set(x Wait) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.Number == 0 {
		w.number++
		x.Number = w.number
	}
	doc, err := json.Marshal(x)
	if err != nil {
		return err
	}
	for len(doc) > Size-head {
		x.Peers, x.Name = nil, ""
		if doc, err = json.Marshal(x); err != nil {
			return err
		}
	}
	return w.write(doc)
}

// Clear says that the rank waits for nothing.
func (w *Word) Clear() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.write(nil)
}

// write marks the page as being written, writes it, and marks it as whole.
func (w *Word) write(doc []byte) error {
	w.turn++
	page := binary.LittleEndian.AppendUint64(nil, 2*w.turn-1)
	page = binary.LittleEndian.AppendUint32(page, uint32(len(doc)))
	if _, err := w.file.WriteAt(append(page, doc...), 0); err != nil {
		return err
	}
	_, err := w.file.WriteAt(binary.LittleEndian.AppendUint64(nil, 2*w.turn), 0)
	return err
}

// Close gives the page up. It stays as it is.
func (w *Word) Close() error { return w.file.Close() }

// Read reads a page: false where the rank waits for nothing, or the page makes
// no sense, or is being written.
func Read(page []byte) (Wait, bool) {
	var w Wait
	if len(page) < head {
		return w, false
	}
	turn, n := binary.LittleEndian.Uint64(page), binary.LittleEndian.Uint32(page[8:])
	if turn == 0 || turn%2 == 1 || n == 0 || int64(n) > int64(len(page)-head) {
		return w, false
	}
	if json.Unmarshal(page[head:head+n], &w) != nil {
		return Wait{}, false
	}
	return w, true
}
