package exec

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// converse serves one rank of a world of its own, and lets f be its process.
func converse(t testing.TB, f func(c *speaker)) (Ending, error) {
	t.Helper()
	var end Ending
	var how error
	err := mpi.Local(t.Context(), 1, func(ctx context.Context, world *mpi.Comm) error {
		ours, theirs, err := pair()
		if err != nil {
			return err
		}
		c, err := net.FileConn(theirs)
		_ = theirs.Close()
		if err != nil {
			return err
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			f(&speaker{t, c.(*net.UnixConn)})
			_ = c.Close()
		}()
		end, how = Serve(ctx, world, ours, Options{Program: 3, Memory: 1 << 20})
		<-done
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return end, how
}

// speaker speaks the protocol as its document has it, byte by byte.
type speaker struct {
	testing.TB
	*net.UnixConn
}

// fields are uint32 at their offsets in a request.
type fields map[int]uint32

func frame(f fields, inline string) []byte {
	b := make([]byte, 88, 88+len(inline))
	for at, v := range f {
		binary.LittleEndian.PutUint32(b[at:], v)
	}
	if _, set := f[28]; !set {
		binary.LittleEndian.PutUint32(b[28:], uint32(len(inline)))
	}
	return append(b, inline...)
}

func hello() []byte { return frame(fields{0: 1, 4: 1}, "CAPMPI01") }

func (c *speaker) write(frames ...[]byte) {
	for _, f := range frames {
		if _, err := c.Write(f); err != nil {
			return // the proxy may have heard enough
		}
	}
}

// answer reads one: its fixed part and its inline bytes.
func (c *speaker) answer() ([]byte, string) {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := make([]byte, 64)
	if _, err := io.ReadFull(c, head); err != nil {
		c.Errorf("no answer: %v", err)
		return head, ""
	}
	inline := make([]byte, binary.LittleEndian.Uint32(head[12:]))
	if _, err := io.ReadFull(c, inline); err != nil {
		c.Errorf("no inline bytes: %v", err)
	}
	return head, string(inline)
}

// What makes no sense ends the rank, and the error says what and where (law X2).
func TestNonsense(t *testing.T) {
	for name, c := range map[string]struct {
		bytes []byte
		says  string
	}{
		"text":         {[]byte(strings.Repeat("GET / HTTP/1.1\r\n", 8)), "request 1 makes no sense: command 542393671 is not known (byte 0)"},
		"command":      {append(hello(), frame(fields{0: 4711}, "")...), "request 2 makes no sense: command 4711 is not known (byte 0)"},
		"cut":          {hello()[:50], "request 1 makes no sense: its stream ends after 50 of 88 bytes"},
		"cut inline":   {frame(fields{0: 1, 28: 8}, "CAP"), "request 1 makes no sense: hello: its stream ends after 3 of 8 inline bytes"},
		"liar":         {append(hello(), frame(fields{0: 33, 28: 1 << 30}, "x")...), "request 2 makes no sense: bcast: its stream ends after 1 of 1073741824 inline bytes"},
		"too long":     {append(hello(), frame(fields{0: 33, 28: 1<<30 + 1}, "")...), "1073741825 inline bytes; at most 1073741824 (byte 28)"},
		"counts":       {append(hello(), frame(fields{0: 41, 32: 3}, "12345678")...), "3 counts in 8 inline bytes (byte 32)"},
		"flags":        {append(hello(), frame(fields{0: 32, 12: 4}, "")...), "flags 0x4 are not known (byte 12)"},
		"zero":         {append(hello(), frame(fields{0: 32, 60: 1}, "")...), "0x1 where zero belongs (byte 60)"},
		"no hello":     {frame(fields{0: 32}, ""), "it is barrier, and hello comes first"},
		"version":      {frame(fields{0: 1}, "CAPMPI77"), `hello says "CAPMPI77", not "CAPMPI01": its client is of another version`},
		"odd wait":     {append(hello(), frame(fields{0: 4}, "12345")...), "wait with 5 bytes, no whole number of uint32"},
		"second hello": {append(hello(), hello()...), "hello was said before"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := converse(t, func(process *speaker) { process.write(c.bytes) })
			if !isNonsense(err) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// What is only wrong is answered so, and the conversation goes on.
func TestRefused(t *testing.T) {
	segment := frame(fields{0: 2, 4: 9, 80: 4096}, "")
	for name, c := range map[string]struct {
		before, request []byte
		status          uint32
		says            string
	}{
		"rank":          {nil, frame(fields{0: 16, 16: 1, 24: 5}, ""), 1, "send: rank 1, and there are ranks 0 to 0"},
		"tag":           {nil, frame(fields{0: 16, 20: 0xffffffff, 24: 5}, ""), 1, "send: tag -1; tags from 0 to"},
		"kind":          {nil, frame(fields{0: 16, 24: 13}, ""), 1, "kind 13 is none of numbers"},
		"half":          {nil, frame(fields{0: 16, 24: 10}, "123"), 1, "3 bytes are no whole number of float64, of 8 each"},
		"communicator":  {nil, frame(fields{0: 32, 8: 77}, ""), 1, "communicator 77 is not known"},
		"operator":      {nil, frame(fields{0: 43, 24: 10 | 5<<16}, "12345678"), 1, "operator 5 is none for float64"},
		"root":          {nil, frame(fields{0: 33, 16: 2, 24: 5}, ""), 1, "bcast: root 2, and there are ranks 0 to 0"},
		"no counts":     {nil, frame(fields{0: 39, 24: 5}, "1"), 1, "allgatherv: 0 counts, and 1 belong here"},
		"counts":        {nil, frame(fields{0: 41, 24: 5, 32: 2}, "\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00x"), 1, "alltoallv: the counts add up to 2 bytes, and 1 are sent"},
		"room":          {nil, frame(fields{0: 43, 24: 5 | 1<<16, 72: 1}, "12"), 2, "truncated: 2 bytes came, there is room for 1"},
		"segment":       {nil, frame(fields{0: 16, 24: 5, 36: 1, 48: 1}, ""), 1, "segment 1 is not known"},
		"place":         {segment, frame(fields{0: 16, 24: 5, 36: 1, 40: 4090, 48: 7}, ""), 1, "7 bytes at 4090 of segment 1, which has 4096"},
		"far place":     {segment, frame(fields{0: 16, 24: 5, 36: 1, 44: 0xffffffff, 48: 7}, ""), 1, "of segment 1, which has 4096"},
		"twice":         {segment, frame(fields{0: 16, 24: 5, 36: 1, 48: 7}, "x"), 1, "bytes in segment 1 and 1 inline: one of them"},
		"not a segment": {nil, frame(fields{0: 3, 36: 5}, ""), 1, "segment 5 is not known"},
		"no segment":    {nil, frame(fields{0: 2}, ""), 1, "a segment of 0 bytes"},
		"large segment": {segment, frame(fields{0: 2, 80: 1 << 20}, ""), 6, "a segment of 1048576 bytes, with 4096 in others; all together may have 1048576"},
		"world":         {nil, frame(fields{0: 51}, ""), 1, "free: world stays"},
	} {
		t.Run(name, func(t *testing.T) {
			end, err := converse(t, func(process *speaker) {
				process.write(hello())
				process.answer()
				if c.before != nil {
					process.write(c.before)
					process.answer()
				}
				process.write(c.request)
				head, text := process.answer()
				if got := binary.LittleEndian.Uint32(head[8:]); got != c.status || !strings.Contains(text, c.says) {
					process.Errorf("status %d: %s", got, text)
				}
				process.write(frame(fields{0: 6}, ""))
				process.answer()
			})
			if err != nil || !end.Finalized {
				t.Errorf("%+v, %v", end, err)
			}
		})
	}
}

// The answers have the fields that the document names.
func TestAnswers(t *testing.T) {
	end, err := converse(t, func(c *speaker) {
		c.write(hello())
		head, host := c.answer()
		if f := head; binary.LittleEndian.Uint32(f[0:]) != 1 || binary.LittleEndian.Uint32(f[4:]) != 1 || f[16] != 0 || f[20] != 3 || f[56] != 1 || host == "" {
			c.Errorf("hello: % x %q", f, host)
		}
		c.write(frame(fields{0: 43, 4: 77, 24: 5 | 1<<16, 72: 0xffffffff, 76: 0xffffffff}, "abc"))
		head, data := c.answer()
		if head[0] != 43 || head[4] != 77 || head[24] != 5 || head[48] != 3 || data != "abc" {
			c.Errorf("allreduce: % x %q", head, data)
		}
		c.write(frame(fields{0: 5, 80: 6}, "enough"))
	})
	if err != nil || end != (Ending{Greeted: true, Aborted: true, Code: 6, Why: "enough"}) {
		t.Errorf("%+v, %v", end, err)
	}
}

// What is on its way when the process goes is given up.
func TestGoesWhileWaiting(t *testing.T) {
	end, err := converse(t, func(c *speaker) {
		c.write(hello())
		c.answer()
		c.write(frame(fields{0: 18, 16: 0, 20: 1, 24: 5, 72: 9}, "")) // nobody sends it
	})
	if err != nil || end != (Ending{Greeted: true}) {
		t.Errorf("%+v, %v", end, err)
	}
}

// FuzzServe: whatever a process writes, the proxy ends, and holds no more than it
// may.
func FuzzServe(f *testing.F) {
	f.Add(hello())
	f.Add(append(hello(), frame(fields{0: 2, 80: 4096}, "")...))
	f.Add(append(hello(), frame(fields{0: 43, 24: 10 | 1<<16, 72: 8}, "12345678")...))
	f.Add(append(hello(), frame(fields{0: 41, 24: 5, 32: 2}, strings.Repeat("\x00", 16))...))
	f.Add(append(hello(), frame(fields{0: 16, 24: 5}, "x")...))
	f.Add(append(hello(), frame(fields{0: 48, 20: 1}, "")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := converse(t, func(c *speaker) { c.write(b) })
		if err != nil && !isNonsense(err) {
			t.Error(err)
		}
	})
}
