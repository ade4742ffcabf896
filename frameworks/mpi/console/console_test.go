package console

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// safe is a buffer for several goroutines.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func desk(t *testing.T, in string, label bool) (d *Desk, out, errs *safe) {
	t.Helper()
	out, errs = new(safe), new(safe)
	d, err := Open(strings.NewReader(in), out, errs, label)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d, out, errs
}

// Laws D1 and D3: a coordinator that takes over says again what it cannot know was
// heard, and it is written once.
func TestOutput(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, out, errs := desk(t, "", false)
	for n, data := range []string{"ab", "abcd\n"} {
		var taken sync.WaitGroup
		taken.Add(2)
		l := Dial(ctx, d.Socket, d.Secret, func(*Frame) { taken.Done() }, nil)
		l.Say(&Frame{Kind: Stdout, Run: 1, Data: []byte(data)})
		l.Say(&Frame{Kind: Stderr, Run: 1 + n, Rank: 1, Data: []byte("oh")})
		taken.Wait()
		if n == 1 {
			l.Close()
		} else {
			l.conn.Close() // it dies
			defer l.Close()
		}
	}
	if !d.Finish(ctx) || out.String() != "abcd\n" || errs.String() != "ohoh" {
		t.Errorf("out %q, errs %q", out, errs)
	}
}

func TestLabels(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, out, _ := desk(t, "", true)
	l := Dial(ctx, d.Socket, d.Secret, func(*Frame) {}, nil)
	for i, text := range []string{"one\ntw", "o\n", "end"} {
		l.Say(&Frame{Kind: Stdout, Rank: 3, At: []int64{0, 6, 8}[i], Data: []byte(text)})
	}
	l.Close()
	d.Finish(ctx)
	if want := "[3] one\n[3] two\n[3] end\n"; out.String() != want {
		t.Errorf("%q, want %q", out, want)
	}
}

// What is wanted again is given again; the end is told by a frame without bytes.
func TestInput(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, _, _ := desk(t, "hello", false)
	got := make(chan *Frame, 1)
	l := Dial(ctx, d.Socket, d.Secret, nil, func(f *Frame) { got <- f })
	defer l.Close()
	for _, c := range []struct {
		at   int64
		want string
	}{{0, "hello"}, {0, "hello"}, {2, "llo"}, {5, ""}} {
		l.Say(&Frame{Kind: Want, Run: 1, At: c.at})
		if f := <-got; string(f.Data) != c.want || f.At != c.at {
			t.Errorf("at %d: %q at %d", c.at, f.Data, f.At)
		}
	}
}

// Law D2: a socket that does not know the secret hears nothing, and what ranks
// print is taken all the same.
func TestWrongSecret(t *testing.T) {
	for _, says := range []string{"something else\n", ""} {
		socket := filepath.Join(t.TempDir(), "s")
		listen, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan []byte, 1)
		go func() {
			c, err := listen.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = c.Write([]byte(says))
			if says == "" {
				_ = c.(*net.UnixConn).CloseWrite()
			}
			buf := make([]byte, 100)
			n, _ := c.Read(buf)
			heard <- buf[:n]
		}()
		taken := make(chan bool, 1)
		l := Dial(t.Context(), socket, "the secret", func(*Frame) { taken <- true }, nil)
		l.Say(&Frame{Kind: Stdout, Data: []byte("private")})
		<-taken
		l.Close()
		if b := <-heard; len(b) > 0 {
			t.Errorf("it heard %q", b)
		}
		listen.Close()
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := write(&b, &Frame{Kind: Stdout, Run: 1, Rank: 2, At: 3, Data: []byte("x")}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := write(&again, fr); err != nil || !bytes.HasPrefix(data, again.Bytes()) {
			t.Errorf("%x is written as %x", data, again.Bytes())
		}
	})
}
