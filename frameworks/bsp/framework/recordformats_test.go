package framework

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/plugintest"
)

// recordJob runs a built-in on records and returns its rows.
func (b *bench) recordJob(t *testing.T, use string, in, with map[string]any) (string, error) {
	t.Helper()
	s := b.spec(use, func(body map[string]any) {
		body["input"], body["algorithm"] = in, map[string]any{"use": use, "with": with}
		delete(body, "preview")
	})
	s.Gang.Size = 2
	report, err := plugintest.Run(t, New(functions(nil)), s, b.options())
	if err != nil {
		return "", err
	}
	return b.rows(report.Output), nil
}

// spots are points in two heaps far from each other.
func spots() arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "name", Type: arrow.BinaryTypes.String}, {Name: "x", Type: arrow.PrimitiveTypes.Float64}, {Name: "y", Type: arrow.PrimitiveTypes.Int64},
	}, nil))
	defer b.Release()
	for i := range 8 {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("p%d", i))
		b.Field(1).(*array.Float64Builder).Append(float64(100*(i%2)) + float64(i)/8)
		b.Field(2).(*array.Int64Builder).Append(int64(50 * (i % 2)))
	}
	return b.NewRecord()
}

// TestPointFormats: points cluster the same whichever format they have.
func TestPointFormats(t *testing.T) {
	b, dir := newBench(t), t.TempDir()
	for _, format := range []string{"text", "csv", "json", "parquet", "arrow"} {
		t.Run(format, func(t *testing.T) {
			in := map[string]any{"format": format, "path": putRecord(t, dir, "points."+format, format, spots())}
			got, err := b.recordJob(t, "kmeans", in, map[string]any{"k": 2, "id": "name", "result": "assignments"})
			if err != nil {
				t.Fatal(err)
			}
			of := map[string]string{}
			for line := range strings.Lines(got) {
				point, cluster, _ := strings.Cut(strings.TrimSpace(line), "\t")
				of[point] = cluster
			}
			for i := range 8 {
				if of[fmt.Sprintf("p%d", i)] != of[fmt.Sprintf("p%d", i%2)] {
					t.Errorf("point %d is in another cluster than point %d:\n%s", i, i%2, got)
				}
			}
			if len(of) != 8 || of["p0"] == of["p1"] {
				t.Errorf("clusters\n%s", got)
			}
			if got, err = b.recordJob(t, "kmeans", in, map[string]any{"k": 2, "id": "name"}); err != nil {
				t.Fatal(err)
			}
			centers := []string{}
			for line := range strings.Lines(got) {
				_, center, _ := strings.Cut(strings.TrimSpace(line), "\t")
				centers = append(centers, center)
			}
			slices.Sort(centers)
			if want := []string{"0.375 0", "100.5 50"}; !slices.Equal(centers, want) {
				t.Errorf("centers %q, want %q", centers, want)
			}
		})
	}
	_, err := b.recordJob(t, "kmeans", map[string]any{"format": "csv", "path": put(t, dir, "bad.csv", []byte("name,x,y\np,1,2\nq,1,two\n"))},
		map[string]any{"k": 1, "id": "name"})
	if e := core.AsError(err); e == nil || !strings.Contains(e.What, `"two" is no number`) || !strings.Contains(e.Where, "bad.csv at byte 15 (line 3)") ||
		!strings.Contains(e.Remedy, "repair the record") {
		t.Errorf("a bad point: %+v", e)
	}
}

// matrices are A, 2 x 3, and B, 3 x 2, an entry a row.
func matrices() arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "matrix", Type: arrow.BinaryTypes.String}, {Name: "row", Type: arrow.PrimitiveTypes.Int64},
		{Name: "column", Type: arrow.PrimitiveTypes.Int64}, {Name: "value", Type: arrow.PrimitiveTypes.Float64},
	}, nil))
	defer b.Release()
	for i := range 12 {
		matrix, columns, at := "A", 3, i
		if i >= 6 {
			matrix, columns, at = "B", 2, i-6
		}
		b.Field(0).(*array.StringBuilder).Append(matrix)
		b.Field(1).(*array.Int64Builder).Append(int64(at / columns))
		b.Field(2).(*array.Int64Builder).Append(int64(at % columns))
		b.Field(3).(*array.Float64Builder).Append(float64(i + 1))
	}
	return b.NewRecord()
}

// lists are the same matrices, a list a row.
func lists() arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "matrix", Type: arrow.BinaryTypes.String}, {Name: "row", Type: arrow.PrimitiveTypes.Int32},
		{Name: "entries", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)},
	}, nil))
	defer b.Release()
	next := float32(1)
	for _, m := range []struct {
		name          string
		rows, columns int
	}{{"A", 2, 3}, {"B", 3, 2}} {
		for row := range m.rows {
			b.Field(0).(*array.StringBuilder).Append(m.name)
			b.Field(1).(*array.Int32Builder).Append(int32(row))
			list := b.Field(2).(*array.ListBuilder)
			list.Append(true)
			for range m.columns {
				list.ValueBuilder().(*array.Float32Builder).Append(next)
				next++
			}
		}
	}
	return b.NewRecord()
}

// TestMatrixFormats: matrices multiply the same whichever format they have, by
// entries or by lists.
func TestMatrixFormats(t *testing.T) {
	b, dir := newBench(t), t.TempDir()
	for _, c := range []struct {
		name, format string
		rec          arrow.Record
		with         map[string]any
	}{
		{"entries", "text", matrices(), map[string]any{"column": "column"}},
		{"entries", "csv", matrices(), map[string]any{"column": "column"}},
		{"entries", "json", matrices(), map[string]any{"column": "column"}},
		{"entries", "parquet", matrices(), map[string]any{"column": "column"}},
		{"lists", "parquet", lists(), nil},
		{"lists", "arrow", lists(), nil},
	} {
		t.Run(c.name+" "+c.format, func(t *testing.T) {
			in := map[string]any{"format": c.format, "path": putRecord(t, dir, c.name+"."+c.format, c.format, c.rec)}
			got, err := b.recordJob(t, "matmul", in, c.with)
			if err != nil {
				t.Fatal(err)
			}
			checkEntries(t, got, [][]float64{{58, 64}, {139, 154}})
		})
	}
}

// checkEntries holds rows of matmul to a matrix.
func checkEntries(t *testing.T, rows string, want [][]float64) {
	t.Helper()
	seen := 0
	for line := range strings.Lines(rows) {
		key, entries, _ := strings.Cut(strings.TrimSpace(line), "\t")
		var i, from int
		if _, err := fmt.Sscan(key, &i, &from); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for j, text := range strings.Fields(entries) {
			if x, err := strconv.ParseFloat(text, 64); err != nil || x != want[i][from+j] {
				t.Errorf("entry %d, %d is %s, want %v", i, from+j, text, want[i][from+j])
			}
			seen++
		}
	}
	if seen != len(want)*len(want[0]) {
		t.Errorf("%d entries in\n%s", seen, rows)
	}
}
