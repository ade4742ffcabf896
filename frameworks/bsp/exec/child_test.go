package exec_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// ring is the peer of testdata/peer.py in Go.
type ring struct {
	how        string
	in         *bufio.Reader
	rank, size int
	number     int64
}

func child(how string) error {
	r := &ring{how: how, in: bufio.NewReader(os.Stdin)}
	for {
		if _, err := r.in.Peek(1); err == io.EOF {
			return nil
		}
		if err := r.turn(); err != nil {
			return err
		}
	}
}

func (r *ring) turn() error {
	s, err := ipc.NewReader(r.in)
	if err != nil {
		return err
	}
	defer s.Release()
	about := map[string]string{}
	m := s.Schema().Metadata()
	for i, k := range m.Keys() {
		about[k] = m.Values()[i]
	}
	sum := int64(0)
	for s.Next() {
		sum += total(s.Record())
	}
	if s.Err() != nil {
		return s.Err()
	}
	switch about["bsp"] {
	case "begin":
		r.rank, _ = strconv.Atoi(about["rank"])
		r.size, _ = strconv.Atoi(about["size"])
	case "input", "state":
		r.number += sum
	case "save":
		put("state", nil, column("number", r.number))
		put("end", nil)
	case "messages":
		step, err := strconv.Atoi(about["superstep"])
		if err != nil {
			return err
		}
		r.superstep(step, sum)
	case "finish":
		var all map[string]float64
		if err := json.Unmarshal([]byte(about["aggregators"]), &all); err != nil {
			return err
		}
		put("rows", nil, column("rank", int64(r.rank)), column("number", r.number), column("all", int64(all["all"])))
		put("end", nil)
	default:
		return fmt.Errorf("a stream of kind %q", about["bsp"])
	}
	return nil
}

func (r *ring) superstep(step int, sum int64) {
	if step == 2 {
		r.misbehave()
	}
	if step > 0 {
		r.number = (r.number*31 + sum) % 1000003
	}
	end := map[string]string{"saves": "1", "active": "1", "counters": `{"turns":1}`,
		"aggregators": fmt.Sprintf(`{"all":{"op":"sum","value":%d}}`, r.number)}
	if step < 6 {
		put("messages", nil, to(int32((r.rank+1)%r.size)), column("number", r.number))
	} else {
		end["halt"] = "1"
	}
	put("end", end)
}

func (r *ring) misbehave() {
	switch r.how {
	case "die":
		fmt.Fprintln(os.Stderr, "the last words")
		os.Exit(3)
	case "leave":
		os.Exit(0)
	case "kill":
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	case "garbage":
		fmt.Println("hello, superstep 2")
	case "nowhere":
		put("messages", nil, to(7), column("number", 1))
	case "untold":
		put("messages", nil, column("number", 1))
	case "strange":
		put("gift", nil, column("number", 1))
	case "badend":
		put("end", map[string]string{"counters": "many"})
	case "bigclaim":
		_, _ = os.Stdout.Write([]byte{255, 255, 255, 255, 255, 255, 255, 127})
		_ = os.Stdout.Close()
	case "hang":
		_ = os.Stdout.Sync()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

// total is the sum of a record's numbers, and of the lengths of its lines.
func total(rec arrow.Record) (n int64) {
	for i, c := range rec.Columns() {
		switch c := c.(type) {
		case *array.Int64:
			for j := range c.Len() {
				n += c.Value(j)
			}
		case *array.Binary:
			for j := range c.Len() {
				n += int64(len(c.Value(j)))
			}
		case *array.Int32: // from
		default:
			panic(fmt.Sprintf("column %d is of type %v", i, c.DataType()))
		}
	}
	return n
}

type col struct {
	field arrow.Field
	array arrow.Array
}

func column(name string, v int64) col {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.Append(v)
	return col{arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64}, b.NewArray()}
}

func to(rank int32) col {
	b := array.NewInt32Builder(memory.DefaultAllocator)
	b.Append(rank)
	return col{arrow.Field{Name: "to", Type: arrow.PrimitiveTypes.Int32}, b.NewArray()}
}

// put writes a stream of one record.
func put(kind string, about map[string]string, columns ...col) {
	all := map[string]string{"bsp": kind}
	for k, v := range about {
		all[k] = v
	}
	meta := arrow.MetadataFrom(all)
	var fields []arrow.Field
	var arrays []arrow.Array
	for _, c := range columns {
		fields, arrays = append(fields, c.field), append(arrays, c.array)
	}
	schema := arrow.NewSchema(fields, &meta)
	w := ipc.NewWriter(os.Stdout, ipc.WithSchema(schema))
	if len(columns) > 0 {
		if err := w.Write(array.NewRecord(schema, arrays, 1)); err != nil {
			os.Exit(9)
		}
	}
	if err := w.Close(); err != nil {
		os.Exit(9)
	}
}

// sortedFields is a flat JSON object with its fields in order and its numbers
// as Go prints them.
func sortedFields(doc string) string {
	var m map[string]float64
	if err := json.Unmarshal([]byte(doc), &m); err != nil {
		return doc
	}
	var fields []string
	for k, v := range m {
		fields = append(fields, fmt.Sprintf("%s=%v", k, v))
	}
	slices.Sort(fields)
	return strings.Join(fields, " ")
}
