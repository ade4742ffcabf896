package framework

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/work"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/plugins/plugintest"
)

// rowsOfGraph is a function that writes a row for each vertex of the document's
// graph: its id, and the targets of its edges with their weights.
func rowsOfGraph(m work.Make) (peer.Program, error) {
	return peer.Func(func(ctx context.Context, p *peer.Peer) error {
		part, err := graph.Load(ctx, p, m.Graph(), graph.Need{Out: true, Weights: true})
		if err != nil {
			return err
		}
		defer part.Close()
		for v := range part.N() {
			if err := p.Broadcast(part.IDs.Append(fmt.Appendf(nil, "%d ", part.First()+uint32(v)), v)); err != nil {
				return err
			}
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		names := map[string]string{}
		for _, msg := range p.Messages() {
			dense, id, _ := strings.Cut(string(msg), " ")
			names[dense] = id
		}
		for v := range part.N() {
			var list []string
			for i, target := range part.Out.Row(v) {
				text := names[fmt.Sprint(target)]
				if part.Out.Weights != nil {
					text += fmt.Sprintf(":%v", part.Out.RowWeights(v)[i])
				}
				list = append(list, text)
			}
			slices.Sort(list)
			if err := p.WriteKV([]byte(part.IDs.String(v)), []byte(strings.Join(list, " "))); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

// link is an edge of the tests.
type link struct {
	from, to string
	weight   float64
}

// links are edges with a double one and a loop, and lone are the vertices
// without an edge. Ids are numbers.
var (
	links = []link{{"1", "2", 0.5}, {"2", "3", 1.5}, {"1", "2", 2.5}, {"7", "1", 4}, {"3", "3", 1}, {"-12", "7", 0.25}}
	lone  = []string{"5", "90000000000"}
)

// worded has texts for ids: the numbers, with something in front.
func worded(id string) string { return "né" + id }

// expectedRows is what rowsOfGraph writes, sorted.
func expectedRows(links []link, lone []string, weighted, directed bool) string {
	targets := map[string][]string{}
	for _, v := range lone {
		targets[v] = nil
	}
	add := func(from, to string, w float64) {
		if weighted {
			targets[from] = append(targets[from], fmt.Sprintf("%s:%v", to, w))
		} else {
			targets[from] = append(targets[from], to)
		}
	}
	for _, e := range links {
		add(e.from, e.to, e.weight)
		if _, there := targets[e.to]; !there {
			targets[e.to] = nil
		}
		if !directed && e.from != e.to {
			add(e.to, e.from, e.weight)
		}
	}
	var lines []string
	for v, list := range targets {
		slices.Sort(list)
		lines = append(lines, v+"\t"+strings.Join(list, " ")+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// columnsOf makes a record of edges: ids as numbers where ints says so.
func columnsOf(links []link, ints, weighted bool) arrow.Record {
	id := arrow.DataType(arrow.BinaryTypes.String)
	if ints {
		id = arrow.PrimitiveTypes.Int64
	}
	fields := []arrow.Field{{Name: "source", Type: id}, {Name: "target", Type: id}}
	if weighted {
		fields = append(fields, arrow.Field{Name: "weight", Type: arrow.PrimitiveTypes.Float64})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, e := range links {
		appendID(b.Field(0), e.from)
		appendID(b.Field(1), e.to)
		if weighted {
			b.Field(2).(*array.Float64Builder).Append(e.weight)
		}
	}
	return b.NewRecord()
}

// idsOf makes a record of vertices.
func idsOf(list []string, ints bool) arrow.Record {
	id := arrow.DataType(arrow.BinaryTypes.String)
	if ints {
		id = arrow.PrimitiveTypes.Int64
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "vertex", Type: id}}, nil))
	defer b.Release()
	for _, v := range list {
		appendID(b.Field(0), v)
	}
	return b.NewRecord()
}

func appendID(b array.Builder, id string) {
	switch b := b.(type) {
	case *array.Int64Builder:
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			panic(err)
		}
		b.Append(n)
	case *array.StringBuilder:
		b.Append(id)
	}
}

// adjacencyOf are the lists of the vertices that edges leave.
func adjacencyOf(links []link, weighted bool) string {
	lists := map[string]string{}
	for _, e := range links {
		lists[e.from] += "\t" + e.to
		if weighted {
			lists[e.from] += fmt.Sprintf(":%v", e.weight)
		}
	}
	var text strings.Builder
	for v, list := range lists {
		text.WriteString(v + list + "\n")
	}
	return text.String()
}

// put writes a file and returns its URL.
func put(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return input.FileURL(path)
}

// putRecord writes a record in a format.
func putRecord(t *testing.T, dir, name, format string, rec arrow.Record) string {
	t.Helper()
	defer rec.Release()
	var b bytes.Buffer
	w, err := output.New(&b, output.Options{Format: format, Schema: rec.Schema()})
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return put(t, dir, name, b.Bytes())
}

// graphJob runs rowsOfGraph with parts of the body and returns the rows.
func (b *bench) graphJob(t *testing.T, size int, in, how map[string]any) (string, error) {
	t.Helper()
	s := b.spec("rows of graph", func(body map[string]any) {
		body["input"], body["graph"] = in, how
		delete(body, "preview")
	})
	s.Gang.Size = size
	report, err := plugintest.Run(t, New(functions(nil)), s, b.options())
	if err != nil {
		return "", err
	}
	return b.rows(report.Output), nil
}

// TestGraphFormats: a graph is the same whichever format and layout its edges and
// its vertices have, of one file or several, on gangs of one to three, by every
// partitioner.
func TestGraphFormats(t *testing.T) {
	b, n := newBench(t), 0
	for _, format := range []string{"text", "csv", "json", "parquet", "arrow", "adjacency"} {
		for bits := range 8 {
			ints, weighted, directed := bits&1 == 0, bits&2 == 0, bits&4 == 0
			n++
			name := fmt.Sprintf("%s ints=%v weighted=%v directed=%v", format, ints, weighted, directed)
			t.Run(name, func(t *testing.T) {
				edges, vertices := slices.Clone(links), slices.Clone(lone)
				if !ints {
					for i, e := range edges {
						edges[i].from, edges[i].to = worded(e.from), worded(e.to)
					}
					for i, v := range vertices {
						vertices[i] = worded(v)
					}
				}
				dir := t.TempDir()
				var paths []string
				for i := range 1 + n%3 {
					part := edges[i*len(edges)/(1+n%3) : (i+1)*len(edges)/(1+n%3)]
					file := fmt.Sprintf("edges-%d", i)
					if format == "adjacency" {
						paths = append(paths, put(t, dir, file, []byte(adjacencyOf(part, weighted))))
					} else {
						paths = append(paths, putRecord(t, dir, file, format, columnsOf(part, ints, weighted)))
					}
				}
				in := map[string]any{"path": paths}
				// Vertices come in another format than edges, half of the time.
				list := map[string]any{"path": putRecord(t, dir, "vertices", "text", idsOf(vertices, ints))}
				how := map[string]any{"directed": directed, "weighted": weighted, "vertices": list,
					"partition": []string{"edges", "hash", "range"}[n%3]}
				if format == "adjacency" {
					how["layout"] = format
				} else {
					in["format"] = format
					if n%2 == 0 {
						list["path"], list["format"] = putRecord(t, dir, "ids", format, idsOf(vertices, ints)), format
					}
				}
				got, err := b.graphJob(t, 1+n/2%3, in, how)
				if err != nil {
					t.Fatal(err)
				}
				if want := expectedRows(edges, vertices, weighted, directed); got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
			})
		}
	}
}

// TestGraphInputs: files as other programs write them.
func TestGraphInputs(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	file := func(name, text string) string { return put(t, dir, name, []byte(text)) }
	dictionary := dictionaryOf(t, "a", "b", "a")
	for _, c := range []struct {
		name    string
		in, how map[string]any
		want    string
	}{
		{"named columns, in any order", map[string]any{"format": "csv", "path": file("named.csv", "cost,to,kind,from\n2,b,x,a\n3,c,\"y,z\",b\n")},
			map[string]any{"source": "from", "target": "to", "weight": "cost", "weighted": true}, "a\tb:2\nb\tc:3\nc\t\n"},
		{"usual columns, in any order", map[string]any{"format": "csv", "path": file("order.csv", "weight,target,source\n2,b,a\n")},
			map[string]any{"weighted": true}, "a\tb:2\nb\t\n"},
		{"other columns, by their place", map[string]any{"format": "csv", "path": file("place.csv", "x,y,z\n1,2,0.5\n")},
			map[string]any{"weighted": true}, "1\t2:0.5\n2\t\n"},
		{"no header, semicolons, CRLF", map[string]any{"format": "csv", "header": false, "delimiter": ";", "path": file("bare.csv", "1;2\r\n2;3\r\n")},
			map[string]any{"ids": "int"}, "1\t2\n2\t3\n3\t\n"},
		{"numbers as texts", map[string]any{"format": "json", "path": file("text.json", `{"source":"007","target":"7"}`+"\n")},
			map[string]any{"ids": "string"}, "007\t7\n7\t\n"},
		{"numbers in quotes", map[string]any{"format": "json", "path": file("quoted.json", `{"source":"007","target":"8"}`+"\n")},
			map[string]any{}, "7\t8\n8\t\n"},
		{"dictionaries", map[string]any{"format": "arrow", "path": putRecord(t, dir, "dictionary", "arrow", dictionary)},
			map[string]any{}, "a\ta\nb\tb\n"},
		{"a folder", map[string]any{"path": folder(t, dir, "many", "1 2\n", "2 3\n", "", "3 1\n")}, map[string]any{}, "1\t2\n2\t3\n3\t1\n"},
		{"vertices alone", map[string]any{"path": file("none", "# none\n")},
			map[string]any{"vertices": map[string]any{"path": file("list", "b,of b\na\n")}}, "a\t\nb\t\n"},
		{"vertices alone, of numbers", map[string]any{"path": file("none2", "")},
			map[string]any{"vertices": map[string]any{"format": "csv", "path": file("list.csv", "id,name\n12,x\n9,y\n")}}, "12\t\n9\t\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := b.graphJob(t, 2, c.in, c.how)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// dictionaryOf is edges from each id to itself, whose columns are dictionaries.
func dictionaryOf(t *testing.T, ids ...string) arrow.Record {
	t.Helper()
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "source", Type: typ}, {Name: "target", Type: typ}}, nil))
	defer b.Release()
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		for i := range 2 {
			if err := b.Field(i).(*array.BinaryDictionaryBuilder).AppendString(id); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.NewRecord()
}

// folder writes files into a folder and returns its URL.
func folder(t *testing.T, dir, name string, texts ...string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		put(t, path, fmt.Sprint("part-", i), []byte(text))
	}
	return input.FileURL(path)
}

// TestBadGraphInputs: what cannot be an edge is told with its file, its line
// where there are lines, and what to do.
func TestBadGraphInputs(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	file := func(name, text string) string { return put(t, dir, name, []byte(text)) }
	good := file("a.csv", "source,target,weight\n1,2,3\n")
	weightless := putRecord(t, dir, "c.parquet", "parquet", columnsOf(links, true, false))
	notANumber := putRecord(t, dir, "d.parquet", "parquet", columnsOf([]link{{"1", "2", 1}, {"2", "3", math.NaN()}}, true, true))
	weighted := map[string]any{"weighted": true}
	for _, c := range []struct {
		name                string
		in, how             map[string]any
		what, where, remedy string
	}{
		{"csv", map[string]any{"format": "csv", "path": []string{good, file("b.csv", "source,target,weight\n\n3,4,1\n5,x,1\n")}}, nil,
			`"x" is no integer id`, "b.csv at byte 28 (line 4)", "repair"},
		{"csv, fields", map[string]any{"format": "csv", "path": file("e.csv", "source,target\n1,2\n3\n")}, nil, "it has 1 fields, not 2", "e.csv at byte 18 (line 3)", "repair"},
		{"csv, weight", map[string]any{"format": "csv", "path": file("f.csv", "source,target,weight\n1,2,heavy\n")}, weighted, `"heavy" is no weight`, "(line 2)", "repair"},
		{"json", map[string]any{"format": "json", "path": file("g.json", "{\"source\":1,\"target\":2}\n{\"source\":1}\n")}, nil, "an id is missing", "g.json at byte 24 (line 2)", "repair"},
		{"json, syntax", map[string]any{"format": "json", "path": file("h.json", "{\"source\":1,\"target\":2}\n{\"source\":\n")}, nil, "not JSON", "h.json at byte 24 (line 2)", "repair"},
		{"parquet, columns", map[string]any{"format": "parquet", "path": weightless}, weighted, `no column "weight"`, "spec.graph.weight", "[source target]"},
		{"parquet, weight", map[string]any{"format": "parquet", "path": notANumber}, weighted, "row 1, from 0: NaN is no weight", "d.parquet", "repair"},
		{"text", map[string]any{"path": file("i", "1 2 3\n# x\n4 5\n")}, weighted, "it has no weight", "i at byte 10 (line 3)", "repair"},
		{"text, not UTF-8", map[string]any{"path": file("j", "a b\n\xff c\n")}, nil, "not UTF-8", "j at byte 4 (line 2)", "repair"},
		{"adjacency", map[string]any{"path": file("k", "1 2:3\n2 3:1 4\n")}, map[string]any{"weighted": true, "layout": "adjacency"}, `"4" has no weight, as in a:1.5`, "k at byte 6 (line 2)", "repair"},
		{"vertices", map[string]any{"path": file("l", "1 2\n")}, map[string]any{"vertices": map[string]any{"path": file("m", "3\nfour\n")}},
			`"four" is no integer id`, "m at byte 2 (line 2)", "repair"},
		{"one usual column, in the place of the other", map[string]any{"format": "csv", "path": file("n.csv", "dst,source\n1,2\n")}, nil,
			`no column "target"`, "spec.graph.target", "[dst source]"},
		{"a record too long", map[string]any{"maxRecord": 8, "path": file("o", "1 2\n1000000 2000000\n")}, nil, "longer than 8", "(line 2)", "raise spec.input.maxRecord"},
		{"cut off", map[string]any{"format": "arrow", "path": file("p.arrow", "ARROW1\x00\x00 nothing follows this")}, nil, "cut off", "p.arrow", "replace the file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.how == nil {
				c.how = map[string]any{}
			}
			_, err := b.graphJob(t, 2, c.in, c.how)
			e := core.AsError(err)
			if e == nil || !strings.Contains(e.What, c.what) || !strings.Contains(e.Where, c.where) || !strings.Contains(e.Remedy, c.remedy) ||
				strings.Contains(e.Remedy, "deadLetter") {
				t.Errorf("what  %s\nwhere %s\nfix   %s", cmp.Or(e, &core.Error{}).What, cmp.Or(e, &core.Error{}).Where, cmp.Or(e, &core.Error{}).Remedy)
			}
		})
	}
}
