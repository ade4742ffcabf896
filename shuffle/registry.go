package shuffle

import (
	"fmt"
	"os"
	"sync"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Registry holds the objects whose bytes are in this process's memory, for
// readers in the same process: the top rung of the ladder. The zero value is
// ready. It may be used from any goroutine.
type Registry struct {
	mu      sync.Mutex
	objects map[string]*memory.Buffer
}

// Put makes the object's bytes known under its name, replacing what had it. It
// retains buf.
func (r *Registry) Put(name string, buf *memory.Buffer) {
	buf.Retain()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.objects == nil {
		r.objects = map[string]*memory.Buffer{}
	}
	if old := r.objects[name]; old != nil {
		old.Release()
	}
	r.objects[name] = buf
}

// Drop forgets an object. Its memory is given back when the last reader is
// done. A name that is not known is [os.ErrNotExist].
func (r *Registry) Drop(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	buf := r.objects[name]
	if buf == nil {
		return fmt.Errorf("drop exchange object %s: %w", name, os.ErrNotExist)
	}
	delete(r.objects, name)
	buf.Release()
	return nil
}

// Buffer returns the object's bytes, retained, or nil: what a peer's server
// offers to others.
func (r *Registry) Buffer(name string) *memory.Buffer {
	r.mu.Lock()
	defer r.mu.Unlock()
	buf := r.objects[name]
	if buf != nil {
		buf.Retain()
	}
	return buf
}

// Len returns the number of objects.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.objects)
}
