// Package mapreduce lets a Go program be a MapReduce job. The program is both
// driver and worker: started by its user it submits itself, and in the
// executors it runs the functions it was built with.
//
//	func main() {
//		mapreduce.Main(mapreduce.Job{
//			Name: "wordcount",
//			Map: mapreduce.Map("split", func(line string, out mapreduce.Emit[string, int64]) error {
//				for word := range strings.FieldsSeq(line) {
//					out(word, 1)
//				}
//				return nil
//			}),
//			Reduce: mapreduce.Sum[string, int64]("sum"),
//		})
//	}
//
// and then
//
//	go run ./wordcount -- file:///data/books -output s3://results/words
//
// # Model
//
//	driver    Main ─ document with map.program: itself ─→ capstan run -
//	executor  Main executor ─ core/executor ─ the MapReduce framework with this program's functions
//	test      Local ─ the same tasks, one after the other, in this process
//
// A function has a name. It stands in the document, and the name is all that
// driver and executor must agree on: they are the same binary.
//
// Keys and values are typed. Strings and []byte travel as they are; integers,
// floating-point numbers and booleans as themselves, keys in the order of
// numbers; any other type as JSON, keys in the order of the JSON text.
//
// # Laws
//
//	M1  Emit copies what it is given before it returns.
//	M2  A line or value given to a function stays valid; an arrow.Record is
//	    valid during the call, as Arrow has it.
//	M3  A combiner may be called any number of times for a key, on any part of
//	    its values. The result must not depend on it.
//	M4  A function's error ends its task, which is tried again; [Bad] sets one
//	    record aside instead, or ends the job, as the document says.
//
// # Left out
//
// Jobs of several steps: that is what the dataflow framework is for.
package mapreduce
