package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// partWithin is how long a coordinator that was followed by another may go on.
const partWithin = time.Second

// Desk is a launcher's end.
type Desk struct {
	Socket string
	Secret string

	dir    string
	listen net.Listener
	paper  *paper
	in     io.Reader
	bye    chan struct{} // closed when there is no more
	said   sync.Once
	serve  sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn // of coordinators, the newest last
	came   bool
	closed bool

	reading sync.Mutex
	kept    []byte // input from at on that may be wanted again
	at      int64
	ended   bool
}

// Open makes a desk: ranks' output is written to out and errs, tagged by rank if
// label is set, and in is read when rank 0 has room for it.
func Open(in io.Reader, out, errs io.Writer, label bool) (*Desk, error) {
	dir, err := os.MkdirTemp("", "capstan-console-")
	if err != nil {
		return nil, err
	}
	d := &Desk{Socket: filepath.Join(dir, "s"), Secret: rand.Text(), dir: dir, in: in,
		paper: newPaper(out, errs, label), bye: make(chan struct{})}
	if d.listen, err = net.Listen("unix", d.Socket); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	d.serve.Go(d.accept)
	return d, nil
}

// Close ends the desk.
func (d *Desk) Close() {
	d.listen.Close()
	d.mu.Lock()
	d.closed = true
	for _, c := range d.conns {
		c.Close()
	}
	d.mu.Unlock()
	d.serve.Wait()
	os.RemoveAll(d.dir)
}

// Finish returns when the coordinator has said that there is no more, or ctx ends,
// and writes what is left of lines. It reports whether a coordinator ever came.
func (d *Desk) Finish(ctx context.Context) bool {
	d.mu.Lock()
	came := d.came
	d.mu.Unlock()
	if came {
		select {
		case <-d.bye:
		case <-ctx.Done():
		}
	}
	d.paper.flush()
	return came
}

// accept serves one coordinator after the other: what one that is gone had said
// comes first.
func (d *Desk) accept() {
	var last net.Conn
	heard := make(chan struct{}) // closed when the last one's was
	close(heard)
	for {
		conn, err := d.listen.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.conns, d.came = append(d.conns, conn), true
		closed := d.closed
		d.mu.Unlock()
		if closed {
			conn.Close()
			return
		}
		if _, err := fmt.Fprintln(conn, d.Secret); err != nil {
			conn.Close()
			continue
		}
		before, mine, older := heard, make(chan struct{}), last
		heard, last = mine, conn
		d.serve.Go(func() {
			defer close(mine)
			leave := time.AfterFunc(partWithin, func() {
				if older != nil {
					older.Close()
				}
			})
			<-before
			leave.Stop()
			d.take(conn)
		})
	}
}

func (d *Desk) take(conn net.Conn) {
	defer conn.Close()
	for {
		f, err := read(conn)
		if err != nil {
			return
		}
		switch f.Kind {
		case Stdout, Stderr:
			d.paper.print(f)
		case Want:
			go d.give(conn, f.Run, f.At) // what is typed may come late
		case Bye:
			d.said.Do(func() { close(d.bye) })
		}
	}
}

// give reads input from a place on, and sends it.
func (d *Desk) give(conn net.Conn, run int, at int64) {
	d.reading.Lock()
	defer d.reading.Unlock()
	skip := at - d.at
	if skip < 0 || skip > int64(len(d.kept)) {
		return // of a run whose input is gone
	}
	d.kept, d.at = d.kept[skip:], at
	if len(d.kept) == 0 && !d.ended {
		buf := make([]byte, MaxBytes)
		n, err := d.in.Read(buf)
		d.kept, d.ended = buf[:n], n == 0 && err != nil
		if n > 0 && err != nil && !errors.Is(err, io.EOF) {
			d.ended = true
		}
	}
	_ = write(conn, &Frame{Kind: Input, Run: run, At: at, Data: d.kept}) // another may ask again
}
