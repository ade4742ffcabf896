// Command wordcount counts words with a typed Go function, as a job of its own:
//
//	wordcount -output file:///tmp/words file:///data/books
package main

import (
	"strings"

	"github.com/capstan-run/capstan/frameworks/mapreduce"
)

func main() {
	mapreduce.Main(mapreduce.Job{
		Name: "wordcount",
		Map: mapreduce.Map("split", func(line string, out mapreduce.Emit[string, int64]) error {
			for word := range strings.FieldsSeq(line) {
				out(word, 1)
			}
			return nil
		}),
		Combine: mapreduce.Sum[string, int64]("sum"),
		Reduce:  mapreduce.Sum[string, int64]("sum"),
	})
}
