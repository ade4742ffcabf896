package storetest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/capstan-run/capstan/shuffle/store"
)

// Fault decorates a store: what a client meets in place of next's plain answer.
type Fault func(next http.Handler) http.Handler

func fault(serve func(next http.Handler, w http.ResponseWriter, r *http.Request)) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(next, w, r) })
	}
}

// Latency answers after d.
func Latency(d time.Duration) Fault {
	return fault(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// Hang does not answer until the client goes away.
func Hang() Fault {
	return fault(func(_ http.Handler, _ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
}

// SlowDown refuses with 503 SlowDown: too many requests.
func SlowDown() Fault { return refusal(http.StatusServiceUnavailable, "SlowDown") }

// DiskFull refuses with 507, as the embedded server does when its disk is full.
func DiskFull() Fault { return refusal(http.StatusInsufficientStorage, store.CodeFull) }

func refusal(status int, code string) Fault {
	return fault(func(_ http.Handler, w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("X-Minio-Error-Code", code) // HEAD has no body to say it in
		w.WriteHeader(status)
		io.WriteString(w, "<Error><Code>"+code+"</Code><Message>injected</Message></Error>")
	})
}

// Reset breaks the connection before the store learns of the request.
func Reset() Fault {
	return fault(func(_ http.Handler, w http.ResponseWriter, _ *http.Request) { reset(w) })
}

// LostAnswer has the store carry the request out, and breaks the connection
// instead of answering.
func LostAnswer() Fault {
	return fault(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(hollow{httptest.NewRecorder()}, r)
		reset(w)
	})
}

// hollow keeps no body.
type hollow struct{ *httptest.ResponseRecorder }

func (h hollow) Write(p []byte) (int, error) { return len(p), nil }

func reset(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// Truncate ends the answer's body after share of it, and the connection.
func Truncate(share float64) Fault {
	return fault(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		b := &bodyWriter{ResponseWriter: w}
		b.edit = func(off, size int64, p []byte) []byte {
			return p[:min(max(int64(share*float64(size))-off, 0), int64(len(p)))]
		}
		next.ServeHTTP(b, r)
		if b.off > 0 {
			panic(http.ErrAbortHandler)
		}
	})
}

// FlipBit changes one bit of the answer's body, at share of its length.
func FlipBit(share float64) Fault {
	return fault(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&bodyWriter{ResponseWriter: w, edit: func(off, size int64, p []byte) []byte {
			if at := min(int64(share*float64(size)), size-1) - off; 0 <= at && at < int64(len(p)) {
				p = bytes.Clone(p)
				p[at] ^= 1
			}
			return p
		}}, r)
	})
}

// bodyWriter edits the body of a successful answer of known length. It offers
// no way around Write.
type bodyWriter struct {
	http.ResponseWriter
	edit func(off, size int64, p []byte) []byte
	size int64
	off  int64
}

func (b *bodyWriter) WriteHeader(status int) {
	if status == http.StatusOK || status == http.StatusPartialContent {
		b.size, _ = strconv.ParseInt(b.Header().Get("Content-Length"), 10, 64)
	}
	b.ResponseWriter.WriteHeader(status)
}

func (b *bodyWriter) Write(p []byte) (int, error) {
	n := len(p)
	if b.size > 0 {
		p = b.edit(b.off, b.size, p)
		b.off += int64(n)
	}
	_, err := b.ResponseWriter.Write(p)
	return n, err
}

// CutBody ends the request's body on its way to the store after share of it.
func CutBody(share float64) Fault {
	return fault(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		cut := int64(share * float64(r.ContentLength))
		r.Body = struct {
			io.Reader
			io.Closer
		}{dying{io.LimitReader(r.Body, cut)}, r.Body}
		next.ServeHTTP(w, r)
	})
}

// FlipBodyBit changes one bit of the data in the request's body.
func FlipBodyBit(share float64) Fault {
	return fault(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		// Data comes in chunks of 64 KiB between a line before and after; the
		// first chunk's is where to find data for certain.
		const head, tail = 16, 256
		at := int64(head + share*float64(min(r.ContentLength, 64<<10)-head-tail))
		if r.ContentLength > head+tail {
			r.Body = &flipped{r.Body, at}
		}
		next.ServeHTTP(w, r)
	})
}

type flipped struct {
	io.ReadCloser
	left int64
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if 0 <= f.left && f.left < int64(n) {
		p[f.left] ^= 1
	}
	f.left -= int64(n)
	return n, err
}

// Lists remembers listings, to answer with them when they are out of date. The
// zero Lists is empty.
type Lists struct {
	mu  sync.Mutex
	old map[string]*httptest.ResponseRecorder
}

// Remember keeps what the store answers.
func (l *Lists) Remember() Fault {
	return fault(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		if rec.Code == http.StatusOK {
			l.mu.Lock()
			if l.old == nil {
				l.old = map[string]*httptest.ResponseRecorder{}
			}
			l.old[r.URL.RequestURI()] = rec
			l.mu.Unlock()
		}
		replay(w, rec)
	})
}

// StaleList answers with what was remembered, and asks the store only for what
// never was.
func (l *Lists) StaleList() Fault {
	return fault(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		rec := l.old[r.URL.RequestURI()]
		l.mu.Unlock()
		if rec == nil {
			l.Remember()(next).ServeHTTP(w, r)
			return
		}
		replay(w, rec)
	})
}

func replay(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}
