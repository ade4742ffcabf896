package gate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// errFenced is what a body's reader and a cut request's context end with.
var errFenced = errors.New("attempt is fenced")

// fence knows the requests under way.
//
//	open ──close──→ closed: no request enters; flights are cut or waited for
type fence struct {
	mu      sync.Mutex
	closed  bool
	flights map[*flight]struct{}
	empty   chan struct{} // closed when a closed fence has no flights left
}

func (f *fence) enter(fl *flight) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	if f.flights == nil {
		f.flights = map[*flight]struct{}{}
	}
	f.flights[fl] = struct{}{}
	return true
}

func (f *fence) leave(fl *flight) {
	fl.cancel(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.flights, fl)
	if f.closed && len(f.flights) == 0 {
		close(f.empty)
	}
}

// close cuts or awaits all flights and returns how many were left when ctx ended.
func (f *fence) close(ctx context.Context) int {
	f.mu.Lock()
	if !f.closed {
		f.closed, f.empty = true, make(chan struct{})
		for fl := range f.flights {
			fl.cut()
		}
		if len(f.flights) == 0 {
			close(f.empty)
		}
	}
	empty := f.empty
	f.mu.Unlock()
	select {
	case <-empty:
		return 0
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.flights)
}

// flight is one request under way.
type flight struct {
	ctx    context.Context // of the request to the store
	cancel context.CancelCauseFunc
	conn   *http.ResponseController
	body   io.ReadCloser
	in     *atomic.Int64
	writes bool

	mu   sync.Mutex
	left int64 // bytes of the body not yet handed on
	dead bool
}

func newFlight(w http.ResponseWriter, r *http.Request, in *atomic.Int64) *flight {
	f := &flight{conn: http.NewResponseController(w), body: r.Body, left: r.ContentLength, in: in}
	f.writes = r.Method != http.MethodGet && r.Method != http.MethodHead
	parent := r.Context()
	if f.writes {
		// An executor that goes away must not take the request to the store
		// with it: its outcome would be unknown when the fence closes.
		parent = context.WithoutCancel(parent)
	}
	f.ctx, f.cancel = context.WithCancelCause(parent)
	return f
}

// request returns r as it goes on: with the flight's context and body.
func (f *flight) request(r *http.Request) *http.Request {
	r = r.WithContext(f.ctx)
	if r.Body != nil && r.Body != http.NoBody {
		// check may have put another body in the place of the one it read.
		f.mu.Lock()
		f.body, f.left = r.Body, r.ContentLength
		f.mu.Unlock()
		r.Body = f
	}
	return r
}

// Read hands on the body, and never its last byte once the flight was cut.
func (f *flight) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return 0, errFenced
	}
	f.left -= int64(n)
	f.in.Add(int64(n))
	return n, err
}

func (f *flight) Close() error { return f.body.Close() }

// cut ends the flight unless the store may already act on it.
func (f *flight) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writes && f.left <= 0 {
		return
	}
	f.dead = true
	f.cancel(errFenced)
	// A frozen client neither sends nor takes anything; the handler must not
	// wait for it.
	now := time.Now()
	f.conn.SetReadDeadline(now)
	if !f.writes {
		f.conn.SetWriteDeadline(now)
	}
}
