package console

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// paper is where output is written, each byte once (law D1).
type paper struct {
	label bool
	mu    sync.Mutex
	to    map[Kind]io.Writer
	next  map[stream]int64
	line  map[stream][]byte // with label: what has no end yet
}

// stream is what one run of a rank prints to one of its descriptors.
type stream struct {
	kind Kind
	run  int
	rank int
}

// maxLabelled is where a line without an end is written all the same.
const maxLabelled = 64 << 10

func newPaper(out, errs io.Writer, label bool) *paper {
	return &paper{label: label, to: map[Kind]io.Writer{Stdout: out, Stderr: errs}, next: map[stream]int64{}, line: map[stream][]byte{}}
}

// print writes what of f has not been written.
func (p *paper) print(f *Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := stream{f.Kind, f.Run, f.Rank}
	skip := p.next[s] - f.At
	if skip < 0 { // some was lost with a coordinator
		p.next[s], skip = f.At, 0
	}
	if skip >= int64(len(f.Data)) {
		return
	}
	data := f.Data[skip:]
	p.next[s] += int64(len(data))
	if !p.label {
		_, _ = p.to[s.kind].Write(data) // nobody reads it
		return
	}
	data = append(p.line[s], data...)
	for {
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 && len(data) < maxLabelled {
			break
		}
		if end == 0 {
			end = len(data)
		}
		p.tag(s, data[:end])
		data = data[end:]
	}
	p.line[s] = bytes.Clone(data)
}

func (p *paper) tag(s stream, line []byte) {
	end := ""
	if !bytes.HasSuffix(line, []byte("\n")) {
		end = "\n"
	}
	fmt.Fprintf(p.to[s.kind], "[%d] %s%s", s.rank, line, end)
}

// flush writes lines that have no end.
func (p *paper) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, rest := range p.line {
		if len(rest) > 0 {
			p.tag(s, rest)
		}
		delete(p.line, s)
	}
}
