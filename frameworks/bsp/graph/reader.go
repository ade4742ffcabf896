package graph

import (
	"bytes"
	"context"
	"io"
	"strconv"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// reader reads splits into a log of edges. It is used by one goroutine.
//
// The log holds small numbers for vertices. While all ids are integers below
// absent they are those numbers; from the first other one on they are numbers
// of names.
type reader struct {
	cfg    Config
	in     input.Options
	text   bool // ids are texts
	log    edgeLog
	ints   *intNames    // nil while ids are their own numbers
	texts  *stringNames // nil unless text
	most   uint32       // the greatest id, while they are their own numbers
	logged int64        // edges and lone vertices
	taken  int64        // records

	fields [][]byte
	list   []neighbour // of an adjacency list's line
	plain  [2][]uint32 // of a record's columns
	bad    string      // why the record at hand is bad
}

func newReader(cfg Config, in input.Options, text bool, budget int64, scratch string) *reader {
	r := &reader{cfg: cfg, in: in, text: text}
	r.log = edgeLog{weighted: cfg.Weighted, budget: budget, scratch: scratch}
	if text {
		r.texts = newStringNames()
	}
	// Digits are looked at one by one, and texts are whatever stands between
	// separators: neither need be valid UTF-8 for us, but texts are for others.
	r.in.Binary = r.in.Binary || !text
	return r
}

// read reads a split of edges or adjacency lists.
func (r *reader) read(ctx context.Context, s input.Split) error {
	switch r.in.Format {
	case "", "text":
		return r.blocks(ctx, s, r.lineParser())
	case "csv", "json", "parquet", "arrow":
		return r.records(ctx, s, r.edgeRows)
	}
	return core.Errorf(core.Invalid, "a graph cannot be read from records of %s", r.in.Format).At("spec.input.format").
		Do("use text, csv, json, parquet or arrow")
}

// readVertices reads a split of a list of vertices.
func (r *reader) readVertices(ctx context.Context, s input.Split, in input.Options) error {
	edges := r.in
	defer func() { r.in = edges }()
	r.in = in
	r.in.Binary = r.in.Binary || !r.text
	if in.Format == "" || in.Format == "text" {
		return r.blocks(ctx, s, r.vertexLine)
	}
	return r.records(ctx, s, r.vertexRows)
}

// parser takes the edges of a line. It sets r.bad, or returns an error that is
// no fault of the line.
type parser func(line []byte) error

func (r *reader) lineParser() parser {
	switch {
	case r.cfg.Layout == Adjacency:
		return r.adjacencyLine
	case r.text:
		return r.textEdge
	}
	return r.edgeLine
}

func (r *reader) blocks(ctx context.Context, s input.Split, parse parser) error {
	in := input.NewBlockReader(s, r.in)
	defer in.Close()
	for {
		b, err := in.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.block(b, parse); err != nil {
			return err
		}
	}
}

// block reads the lines of a block: those of the layout that is most often used
// without a call for each.
func (r *reader) block(b input.Block, parse parser) error {
	plain := r.cfg.Layout == Edges && !r.text && !r.cfg.Weighted
	for data := b.Data; len(data) > 0; {
		if plain && r.ints == nil {
			var err error
			if data, err = r.plainEdges(data); err != nil {
				return err
			}
		}
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			return nil
		}
		if err := r.line(data[:end-1], parse); err != nil {
			return err
		}
		if r.bad != "" {
			if err := r.report(b.File, b.Offset+int64(len(b.Data)-len(data)), data[:end-1]); err != nil {
				return err
			}
		}
		data = data[end:]
	}
	return nil
}

// line parses a line that is neither empty nor a comment.
func (r *reader) line(line []byte, parse parser) error {
	if line = trim(line); len(line) == 0 || line[0] == '#' || line[0] == '%' {
		return nil
	}
	r.taken++
	return parse(line)
}

func (r *reader) report(file string, off int64, line []byte) error {
	bad := input.Bad{File: file, Offset: off, Length: int64(len(line)), Reason: r.bad,
		Sample: append([]byte(nil), line[:min(len(line), input.SampleSize)]...)}
	r.bad = ""
	return r.tell(bad)
}

func (r *reader) tell(bad input.Bad) error {
	if r.in.Bad == nil {
		return bad.Err()
	}
	return r.in.Bad(bad)
}

// edge logs an edge.
func (r *reader) edge(s, t uint32, w float64) error {
	c, err := r.log.room()
	if err != nil {
		return err
	}
	c.source[c.n], c.target[c.n] = s, t
	if c.weight != nil {
		c.weight[c.n] = w
	}
	c.n++
	r.logged++
	return nil
}

// edges logs many; w is nil unless the log has weights.
func (r *reader) edges(s, t []uint32, w []float64) error {
	r.logged += int64(len(s))
	for len(s) > 0 {
		c, err := r.log.room()
		if err != nil {
			return err
		}
		n := copy(c.source[c.n:chunkEdges], s)
		copy(c.target[c.n:chunkEdges], t)
		s, t = s[n:], t[n:]
		if c.weight != nil {
			copy(c.weight[c.n:chunkEdges], w)
			w = w[n:]
		}
		c.n += n
	}
	return nil
}

// alone logs a vertex.
func (r *reader) alone(v uint32) error {
	r.log.alone = true
	return r.edge(v, absent, 0)
}

// intID is the log's number of an integer. It may change those given before,
// and those in the log with them, so that numbers must go to the log before the
// next call; pairs are numbered by intIDs.
func (r *reader) intID(id int64) (uint32, error) {
	if r.ints == nil {
		if uint64(id) < uint64(absent) {
			r.most = max(r.most, uint32(id))
			return uint32(id), nil
		}
		if err := r.nameInts(); err != nil {
			return 0, err
		}
	}
	return r.ints.number(id), nil
}

func (r *reader) intIDs(a, b int64) (uint32, uint32, error) {
	if r.ints == nil && (uint64(a) >= uint64(absent) || uint64(b) >= uint64(absent)) {
		if err := r.nameInts(); err != nil {
			return 0, 0, err
		}
	}
	x, err := r.intID(a)
	if err != nil {
		return 0, 0, err
	}
	y, err := r.intID(b)
	return x, y, err
}

// nameInts gives every id in the log a name's number in its place.
func (r *reader) nameInts() error {
	r.ints = newIntNames()
	return r.log.each(true, func(c *chunk) error {
		for i, s := range c.source[:c.n] {
			c.source[i] = r.ints.number(int64(s))
			if t := c.target[i]; t != absent {
				c.target[i] = r.ints.number(int64(t))
			}
		}
		return nil
	})
}

// id is the number of a field, whichever ids are.
func (r *reader) id(field []byte) (uint32, error) {
	if r.text {
		return r.texts.number(field), nil
	}
	n, ok := parseInt(field)
	if !ok {
		r.badID(field)
		return 0, nil
	}
	return r.intID(n)
}

func (r *reader) badID(field []byte) {
	r.bad = strconv.Quote(string(field[:min(len(field), 40)])) + " is no integer id of 64 bits; with ids: string any text is one"
}

// parseInt reads a whole number of 64 bits.
func parseInt(b []byte) (int64, bool) {
	neg := len(b) > 0 && b[0] == '-'
	digits := b
	if neg {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range digits {
		d := uint64(c - '0')
		if d > 9 {
			return 0, false
		}
		n = n*10 + d
	}
	switch {
	case neg && n <= 1<<63:
		return -int64(n), true
	case !neg && n < 1<<63:
		return int64(n), true
	}
	return 0, false
}
