package mapreduce_test

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/frameworks/mapreduce"
)

func split(line string, out mapreduce.Emit[string, int64]) error {
	for word := range strings.FieldsSeq(line) {
		out(word, 1)
	}
	return nil
}

// A job's functions are tested by running it in the test's own process.
func ExampleLocalText() {
	job := mapreduce.Job{
		Name:   "wordcount",
		Map:    mapreduce.Map("split", split),
		Reduce: mapreduce.Sum[string, int64]("sum"),
	}
	result, err := mapreduce.LocalText(context.Background(), job, "to be\nor not\nto be\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// be	2
	// not	1
	// or	1
	// to	2
}

func ExampleReduce() {
	job := mapreduce.Job{
		Name: "longest",
		Map: mapreduce.Map("by-initial", func(line string, out mapreduce.Emit[string, string]) error {
			for word := range strings.FieldsSeq(line) {
				out(word[:1], word)
			}
			return nil
		}),
		Reduce: mapreduce.Reduce("longest", func(initial string, words iter.Seq[string], out mapreduce.Emit[string, string]) error {
			longest := ""
			for w := range words {
				if len(w) > len(longest) {
					longest = w
				}
			}
			out(initial, longest)
			return nil
		}),
	}
	result, err := mapreduce.LocalText(context.Background(), job, "a big bad bear\nand an apple\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// a	apple
	// b	bear
}

func ExampleMapContext() {
	job := mapreduce.Job{
		Name: "check",
		Map: mapreduce.MapContext("check", func(c *mapreduce.Context, line string, out mapreduce.Emit[int, string]) error {
			if !strings.Contains(line, "=") {
				return mapreduce.Bad("no equals sign")
			}
			c.Count("lines", "good", 1)
			out(len(line), line)
			return nil
		}),
		OnBadRecord: "deadLetter",
	}
	result, err := mapreduce.LocalText(context.Background(), job, "a=1\noops\nbb=2\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	fmt.Println(result.Counters["lines/good"], "good,", strings.Count(string(result.DeadLetters), "no equals sign"), "bad")
	// Output:
	// 3	a=1
	// 4	bb=2
	// 2 good, 1 bad
}

// A function over Arrow records works on whole columns.
func ExampleMapRecords() {
	job := mapreduce.Job{
		Name: "lengths",
		Map: mapreduce.MapRecords("lengths", func(_ *mapreduce.Context, rec arrow.Record, out mapreduce.Emit[int, int64]) error {
			lines := rec.Column(0).(*array.String)
			for i := range lines.Len() {
				out(lines.ValueLen(i), 1)
			}
			return nil
		}),
		Reduce: mapreduce.Sum[int, int64]("sum"),
	}
	result, err := mapreduce.LocalText(context.Background(), job, "one\nthree\ntwo\neleven\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// 3	2
	// 5	1
	// 6	1
}
