package mesh

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
)

// scripted is a connection that notes how it is used.
type scripted struct {
	net.Conn
	writes [][]byte
	reads  [][]byte // what each read finds, as far as it has room
	asked  []int    // the room that each read had
	broken error    // of writes
}

func (s *scripted) Write(p []byte) (int, error) {
	if s.broken != nil {
		return 0, s.broken
	}
	s.writes = append(s.writes, bytes.Clone(p))
	return len(p), nil
}

func (s *scripted) Read(p []byte) (int, error) {
	s.asked = append(s.asked, len(p))
	if len(s.reads) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.reads[0])
	if s.reads[0] = s.reads[0][n:]; len(s.reads[0]) == 0 {
		s.reads = s.reads[1:]
	}
	return n, nil
}

func newBatch() (*batch, *scripted) {
	s := new(scripted)
	return &batch{Conn: s, pool: new(pool)}, s
}

func TestBatchGathersWrites(t *testing.T) {
	b, s := newBatch()
	b.Write([]byte("at once"))
	b.gather()
	record := bytes.Repeat([]byte("r"), batchSize/4)
	var want []byte
	for i := range 10 {
		record[0] = byte('0' + i)
		want = append(want, record...)
		if n, err := b.Write(record); n != len(record) || err != nil {
			t.Fatal(n, err)
		}
	}
	long := bytes.Repeat([]byte("l"), batchSize+1)
	if n, err := b.Write(long); n != len(long) || err != nil {
		t.Fatal(n, err)
	}
	b.Write([]byte("end"))
	want = append(append(want, long...), "end"...)
	if err := b.flush(); err != nil {
		t.Fatal(err)
	}
	b.Write([]byte("again at once"))
	if n := len(s.writes); n != 7 || string(s.writes[0]) != "at once" || string(s.writes[6]) != "again at once" {
		t.Errorf("%d writes", n)
	}
	if got := bytes.Join(s.writes[1:len(s.writes)-1], nil); !bytes.Equal(got, want) {
		t.Error("other bytes, or in another order")
	}
	if b.out != nil {
		t.Error("memory is held while nothing is on its way")
	}
}

func TestBatchTellsOfWritesThatFailed(t *testing.T) {
	b, s := newBatch()
	s.broken = errors.New("broken")
	b.gather()
	if _, err := b.Write([]byte("x")); err != nil {
		t.Errorf("what is gathered is not written yet: %v", err)
	}
	if err := b.flush(); !errors.Is(err, s.broken) {
		t.Errorf("%v", err)
	}
	b.gather()
	var err error
	for range 5 {
		_, werr := b.Write(make([]byte, batchSize/2))
		err = errors.Join(err, werr)
	}
	if !errors.Is(err, s.broken) {
		t.Errorf("no write of five failed: %v", err)
	}
}

func TestBatchReadsAhead(t *testing.T) {
	b, s := newBatch()
	s.reads = [][]byte{[]byte("plain"), []byte("abcdef"), []byte("gh"), []byte("i")}
	p := make([]byte, 5)
	read := func(want string) {
		t.Helper()
		n, err := b.Read(p)
		if string(p[:n]) != want || err != nil {
			t.Errorf("read %q, not %q: %v", p[:n], want, err)
		}
	}
	read("plain")
	b.readAhead(true)
	read("abcde")
	b.readAhead(false) // what is here already still comes
	read("f")
	if b.memory != nil {
		t.Error("memory is held while nothing is on its way")
	}
	read("gh")
	b.readAhead(true)
	read("i")
	if n, err := b.Read(p); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes behind the end, %v", n, err)
	}
	b.readAhead(false)
	if b.memory != nil {
		t.Error("memory is held behind the end")
	}
	want := []int{5, batchSize, 5, batchSize, batchSize}
	if len(s.asked) != len(want) {
		t.Fatalf("asked for %d, not %d", s.asked, want)
	}
	for i := range want {
		if s.asked[i] != want[i] {
			t.Errorf("asked for %d, not %d", s.asked, want)
		}
	}
}
