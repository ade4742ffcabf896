package graph

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == ',' || c == '\r' }

func trim(line []byte) []byte {
	for len(line) > 0 && isBlank(line[0]) {
		line = line[1:]
	}
	for len(line) > 0 && isBlank(line[len(line)-1]) {
		line = line[:len(line)-1]
	}
	return line
}

// plainEdges takes lines of exactly two numbers below 2^32 from the front of
// data, and returns the rest where something else comes. data ends with a
// newline.
func (r *reader) plainEdges(data []byte) ([]byte, error) {
	for len(data) > 0 {
		c, err := r.log.room()
		if err != nil {
			return data, err
		}
		before := c.n
		n, most := scanEdges(data, c, r.most)
		r.most = most
		r.logged += int64(c.n - before)
		r.taken += int64(c.n - before)
		data = data[n:]
		if c.n < chunkEdges {
			return data, nil
		}
	}
	return data, nil
}

// scanEdges fills c with edges from the front of data. It stops behind the last
// line that it took whole.
func scanEdges(data []byte, c *chunk, most uint32) (int, uint32) {
	at := 0
	for c.n < chunkEdges {
		var n int
		n, most = scanShort(data[at:], c, most)
		at += n
		if c.n == chunkEdges {
			break
		}
		s, t, n := scanEdge(data[at:])
		if n == 0 {
			break
		}
		c.source[c.n], c.target[c.n] = s, t
		c.n++
		most = max(most, s, t)
		at += n
	}
	return at, most
}

// scanShort is scanEdges for lines of two numbers of at most eight digits, one
// blank and a newline, which does not ask how long numbers are.
func scanShort(data []byte, c *chunk, most uint32) (int, uint32) {
	source, target := c.source[:chunkEdges], c.target[:chunkEdges]
	at, n := 0, c.n
	const longest = 8 + 1 + 8 + 1
	for n < chunkEdges && at+longest <= len(data) {
		line := (*[longest]byte)(data[at:])
		x := binary.LittleEndian.Uint64(line[:8]) ^ zeroDigits
		i := digitsOf(x)
		y := binary.LittleEndian.Uint64(line[i+1:i+9]) ^ zeroDigits
		j := digitsOf(y)
		if i == 0 || j == 0 || !isBlank(line[i]) || line[i+1+j] != '\n' {
			break
		}
		s, t := valueOf(x, i), valueOf(y, j)
		source[n], target[n] = s, t
		most = max(most, s, t)
		n++
		at += i + j + 2
	}
	c.n = n
	return at, most
}

// scanEdge reads one line of two numbers below absent. It returns how long the
// line is; 0 where it is something else.
func scanEdge(data []byte) (source, target uint32, n int) {
	s, i := scanNumber(data, 0)
	if i == 0 || i >= len(data) || !isBlank(data[i]) {
		return 0, 0, 0
	}
	for i < len(data) && isBlank(data[i]) {
		i++
	}
	t, j := scanNumber(data, i)
	if j == i || j >= len(data) {
		return 0, 0, 0
	}
	if data[j] == '\r' && j+1 < len(data) {
		j++
	}
	if data[j] != '\n' || s >= uint64(absent) || t >= uint64(absent) {
		return 0, 0, 0
	}
	return uint32(s), uint32(t), j + 1
}

// scanNumber reads the digits from data[i] on, and says where they end. More
// than ten, and those at the end of data, are for the careful reader.
func scanNumber(data []byte, i int) (uint64, int) {
	if i+8 > len(data) {
		return scanDigits(data, i, 0)
	}
	x := binary.LittleEndian.Uint64(data[i:]) ^ zeroDigits
	digits := digitsOf(x)
	if digits == 0 {
		return 0, i
	}
	n := uint64(valueOf(x, digits))
	if digits < 8 {
		return n, i + digits
	}
	return scanDigits(data, i+8, n)
}

// zeroDigits makes digits their values: it is eight zeros.
const zeroDigits = 0x3030303030303030

// digitsOf is how many of the bytes of x, from the lowest on, are digits.
func digitsOf(x uint64) int {
	other := (x | (x + 0x0606060606060606)) & 0xf0f0f0f0f0f0f0f0
	return bits.TrailingZeros64(other) / 8
}

// valueOf is the number whose digits are the lowest bytes of x, at least one
// (after Lemire, "Quickly parsing eight digits", 2018): numbers of random lengths
// make a loop over digits guess wrong each time.
func valueOf(x uint64, digits int) uint32 {
	x <<= uint(64-8*digits) & 63
	x = x*10 + x>>8
	const low = 0x000000ff000000ff
	return uint32(((x&low)*(100+1000000<<32) + (x>>16&low)*(1+10000<<32)) >> 32)
}

func scanDigits(data []byte, i int, n uint64) (uint64, int) {
	end := min(i+3, len(data))
	if n == 0 {
		end = min(i+11, len(data))
	}
	for ; i < end; i++ {
		d := uint64(data[i] - '0')
		if d > 9 {
			return n, i
		}
		n = n*10 + d
	}
	return n, i
}

// edgeLine is `source target [weight]` of integers. What follows is ignored.
func (r *reader) edgeLine(line []byte) error {
	s, rest := field(line)
	t, rest := field(rest)
	a, okA := parseInt(s)
	b, okB := parseInt(t)
	switch {
	case len(t) == 0:
		r.bad = "it has one field, not two"
		return nil
	case !okA:
		r.badID(s)
		return nil
	case !okB:
		r.badID(t)
		return nil
	}
	w := 1.0
	if r.cfg.Weighted {
		if w = r.weight(rest); r.bad != "" {
			return nil
		}
	}
	x, y, err := r.intIDs(a, b)
	if err != nil {
		return err
	}
	return r.edge(x, y, w)
}

// field cuts the first field off line, which begins with no blank.
func field(line []byte) (first, rest []byte) {
	i := 0
	for i < len(line) && !isBlank(line[i]) {
		i++
	}
	first = line[:i]
	for i < len(line) && isBlank(line[i]) {
		i++
	}
	return first, line[i:]
}

// weight is the number that rest begins with.
func (r *reader) weight(rest []byte) float64 {
	f, _ := field(rest)
	if len(f) == 0 {
		r.bad = "it has no weight, and the graph is weighted"
		return 0
	}
	return r.number(f)
}

func (r *reader) number(f []byte) float64 {
	if len(f) < 16 {
		if n, ok := parseInt(f); ok {
			return float64(n)
		}
	}
	w, err := strconv.ParseFloat(string(f), 64)
	if err != nil || math.IsNaN(w) {
		r.bad = strconv.Quote(string(f[:min(len(f), 40)])) + " is no weight"
	}
	return w
}

// textEdge is an edge between texts. Where the line has a tab, tabs alone
// separate; else commas, else blanks: names may hold what is no separator.
func (r *reader) textEdge(line []byte) error {
	r.split(line)
	if len(r.fields) < 2 {
		r.bad = "it has one field, not two"
		return nil
	}
	w := 1.0
	if r.cfg.Weighted {
		if len(r.fields) < 3 {
			r.bad = "it has no weight, and the graph is weighted"
			return nil
		}
		if w = r.number(r.fields[2]); r.bad != "" {
			return nil
		}
	}
	return r.edge(r.texts.number(r.fields[0]), r.texts.number(r.fields[1]), w)
}

// split sets r.fields, each without blanks around it, the empty ones left out.
func (r *reader) split(line []byte) {
	separator := byte(' ')
	for _, s := range []byte("\t,") {
		if bytes.IndexByte(line, s) >= 0 {
			separator = s
			break
		}
	}
	r.fields = r.fields[:0]
	for len(line) > 0 {
		end := bytes.IndexByte(line, separator)
		if end < 0 {
			end = len(line)
		}
		if f := bytes.Trim(line[:end], " \t\r"); len(f) > 0 {
			r.fields = append(r.fields, f)
		}
		line = line[min(end+1, len(line)):]
	}
}

// neighbour is an entry of an adjacency list.
type neighbour struct {
	name   []byte
	id     int64
	weight float64
}

// adjacencyLine is `v a b c` or, weighted, `v a:1.5 b:2`. A line is logged whole
// or not at all.
func (r *reader) adjacencyLine(line []byte) error {
	r.split(line)
	if len(r.fields) == 0 {
		return nil
	}
	r.list = r.list[:0]
	for i, f := range r.fields {
		n := neighbour{name: f, weight: 1}
		if i > 0 && r.cfg.Weighted {
			n.name, n.weight = r.weighted(f)
		}
		if !r.text && r.bad == "" {
			var ok bool
			if n.id, ok = parseInt(n.name); !ok {
				r.badID(n.name)
			}
		}
		if r.bad != "" {
			return nil
		}
		r.list = append(r.list, n)
	}
	return r.logList()
}

// logList logs the edges from the first of r.list to the others.
func (r *reader) logList() error {
	v := r.list[0]
	if len(r.list) == 1 {
		n, err := r.numberOf(v)
		if err != nil {
			return err
		}
		return r.alone(n)
	}
	for _, t := range r.list[1:] {
		if !r.text {
			x, y, err := r.intIDs(v.id, t.id)
			if err == nil {
				err = r.edge(x, y, t.weight)
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := r.edge(r.texts.number(v.name), r.texts.number(t.name), t.weight); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) numberOf(n neighbour) (uint32, error) {
	if r.text {
		return r.texts.number(n.name), nil
	}
	return r.intID(n.id)
}

// weighted is the name and the weight of `name:weight`.
func (r *reader) weighted(f []byte) (name []byte, w float64) {
	i := bytes.LastIndexByte(f, ':')
	if i <= 0 {
		r.bad = strconv.Quote(string(f[:min(len(f), 40)])) + " has no weight, as in a:1.5, and the graph is weighted"
		return f, 0
	}
	return f[:i], r.number(f[i+1:])
}

// vertexLine is a line that begins with an integer, or a text that ends with
// the line, a tab or a comma.
func (r *reader) vertexLine(line []byte) error {
	f, _ := field(line)
	if r.text {
		f = line
		if end := bytes.IndexAny(line, "\t,"); end >= 0 {
			f = bytes.TrimRight(line[:end], " ")
		}
	}
	v, err := r.id(f)
	if err != nil || r.bad != "" {
		return err
	}
	return r.alone(v)
}
