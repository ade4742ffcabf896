package gate

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// serveFile answers a plain read of a plain object from the store's own file.
// It reports false, having written nothing, where the store has to answer.
func (g *Gate) serveFile(w http.ResponseWriter, r *http.Request) bool {
	if g.root == nil || r.Method != http.MethodGet || r.URL.RawQuery != "" && r.URL.RawQuery != "x-id=GetObject" {
		return false
	}
	if r.Header.Get("X-Amz-Checksum-Mode") != "" {
		return false
	}
	f, err := g.root.Open(filepath.FromSlash(strings.TrimPrefix(r.URL.Path, "/")))
	if err != nil {
		return false
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return false
	}
	etag, contentType, ok := attributes(f)
	if !ok {
		return false
	}
	if contentType == "" {
		contentType = "binary/octet-stream"
	}
	w.Header().Set("Etag", etag)
	w.Header().Set("Content-Type", contentType)
	http.ServeContent(w, r, "", fi.ModTime(), f)
	return true
}

// countingWriter counts a response's body. It keeps the way of ReadFrom open,
// by which a file goes to a TCP socket without passing through the process.
type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n.Add(int64(n))
	return n, err
}

func (w *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(w.ResponseWriter, r)
	w.n.Add(n)
	return n, err
}

func (w *countingWriter) Flush() { http.NewResponseController(w.ResponseWriter).Flush() }

func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// roomy makes unix sockets of l take and give large pieces: with the default
// 200 KiB buffer and 32 KiB copies, a large read is several times slower than
// over TCP.
func roomy(l net.Listener) net.Listener {
	if l.Addr().Network() != "unix" {
		return l
	}
	return &roomyListener{l, newBuffers()}
}

type roomyListener struct {
	net.Listener
	buffers *buffers
}

func (l *roomyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if u, ok := c.(*net.UnixConn); ok {
		u.SetWriteBuffer(1 << 20)
		return roomyConn{c, l.buffers}, nil
	}
	return c, nil
}

// roomyConn copies a body into the connection in large pieces; net/http would
// take 32 KiB at a time.
type roomyConn struct {
	net.Conn
	buffers *buffers
}

// ReadFrom is what net/http hands a body to.
func (c roomyConn) ReadFrom(r io.Reader) (int64, error) {
	buf := c.buffers.Get()
	defer c.buffers.Put(buf)
	return io.CopyBuffer(onlyWriter{c.Conn}, onlyReader{r}, buf)
}

// CloseWrite lets net/http tell a client that it is done with, half a second
// before it closes the connection.
func (c roomyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// These hide the shortcuts that io.CopyBuffer would take past its buffer.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)
