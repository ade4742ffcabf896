package input

import (
	"context"
	"errors"
	"io"
	"sync"
)

// watched is a source that remembers its error: a library between us and it
// may make an error of the file's content of it, in words of its own.
type watched struct {
	source
	err error
}

func (w *watched) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := w.source.readAt(ctx, p, off)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// access lets libraries that want an io.ReaderAt read a source.
type access struct {
	ctx context.Context // the library's calls carry none
	mu  sync.Mutex      // sources are for one goroutine, libraries may use more
	src source
}

func (a *access) ReadAt(p []byte, off int64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for done := 0; done < len(p); {
		n, err := a.src.readAt(a.ctx, p[done:], off+int64(done))
		done += n
		if err == io.EOF {
			return done, err
		}
		if err != nil {
			return done, err
		}
	}
	return len(p), nil
}

// section is the whole of a source as the libraries want it.
func section(ctx context.Context, src source, size int64) *io.SectionReader {
	return io.NewSectionReader(&access{ctx: ctx, src: src}, 0, size)
}

func asError[E error](err error, target *E) bool { return errors.As(err, target) }

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
