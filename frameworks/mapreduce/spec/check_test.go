package spec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

func TestCheck(t *testing.T) {
	sumA, sumB := strings.Repeat("a", 64), strings.Repeat("b", 64)
	const in, out = `"input":{"path":"file:///in"}`, `"output":{"path":"file:///out"}`
	for _, c := range []struct {
		body string
		want string // "path: message (remedy)", one a line; "~" before a warning
	}{
		{`{` + in + `,"map":{"use":"words"},"reduce":{"use":"sum"},` + out + `}`, ``},
		{`{` + in + `,"map":{"use":"word"},"reduce":{"use":"summ"},` + out + `}`,
			"spec.map.use: no built-in is named \"word\" (did you mean \"words\"?)\nspec.reduce.use: no built-in is named \"summ\" (did you mean \"sum\"?)"},
		{`{` + in + `,"map":{"use":"frobnicate"},` + out + `}`,
			`spec.map.use: no built-in is named "frobnicate" (one of: count, sum, words)`},
		{`{` + in + `,"map":{"use":"words"},"combine":{"use":"sum"},` + out + `}`,
			`spec.combine: combine without reduce (add reduce, or remove combine: a map-only job has no shuffle)`},
		{`{` + in + `,"map":{"use":"words","exec":["tr"]},` + out + `}`,
			`spec.map: exec stands beside use or program (keep one: a step is a built-in, a command or a program's function)`},
		{`{` + in + `,"map":{"with":{"a":"b"}},` + out + `}`,
			`spec.map: no user code (add use, exec, or program with use)`},
		{`{` + in + `,"map":{"program":"./x"},` + out + `}`,
			`spec.map: program without the name of its function (add use: <function>)`},
		{`{` + in + `,"map":{"use":"words","as":"arrow"},` + out + `}`,
			`spec.map.as: as belongs to exec (remove it)`},
		{`{` + in + `,"map":{"exec":[""],"with":{"a":"b"}},` + out + `}`,
			"spec.map.exec.0: the command is empty (name a program)\nspec.map.with: with belongs to use (pass arguments in exec)"},
		{`{` + in + `,"map":{"exec":["x"],"as":"arrow","keyFields":2},` + out + `}`,
			`spec.map.as: keyFields and separator belong to as: lines (remove them, or set as: lines)`},
		{fmt.Sprintf(`{%s,"map":{"program":"artifact:%s/p","use":"f"},"reduce":{"program":"artifact:%s/q","use":"g"},%s}`, in, sumA, sumB, out),
			`spec.reduce.program: differs from map.program (put all functions of a job into one program)`},
		{fmt.Sprintf(`{%s,"map":{"exec":["artifact:%s/m"]},"files":["artifact:%s/m"],%s}`, in, sumA, sumB, out),
			`spec.files.0: two different files are named "m" (the other is at map.exec.0) (rename one: they lie in one folder)`},
		{fmt.Sprintf(`{%s,"map":{"program":"artifact:%s/p","use":"mine"},%s}`, in, sumA, out), ``},
		{`{"input":{"path":["/data","data/*.txt","file://data","s3://*/x","s3://b/x"]},"map":{"use":"words"},` + out + `}`,
			"spec.input.path.0: \"/data\" is a path, not a URL (write file:///data)\n" +
				"spec.input.path.1: \"data/*.txt\" is not a URL (write file:///absolute/path or s3://bucket/key)\n" +
				"spec.input.path.2: \"file://data\" is not an absolute path (write three slashes: file:///folder/file)\n" +
				"spec.input.path.3: \"s3://*/x\" names no bucket (write s3://bucket/key)"},
		{`{"input":{"path":"file:///in","columns":["a"],"delimiter":";","splitSize":"1Ki"},"map":{"use":"words"},` + out + `}`,
			"spec.input.columns: columns need format parquet or arrow (remove it, or set the format)\n" +
				"spec.input.delimiter: delimiter needs format csv (remove it, or set format: csv)\n" +
				"spec.input.splitSize: 1Ki is less than 64Ki (a map task costs milliseconds: use 1Mi or more)"},
		{`{"input":{"path":"file:///in","format":"csv","delimiter":"\""},"map":{"use":"words"},` + out + `}`,
			`spec.input.delimiter: "\"" cannot stand between fields (quotes and line ends have a meaning of their own: use another character)`},
		{`{` + in + `,"map":{"use":"words"},"shuffle":{"partitions":3},` + out + `}`,
			`~spec.shuffle: has no effect without reduce (add reduce, for example {use: identity}, or remove shuffle)`},
		{`{` + in + `,"map":{"use":"words"},"reduce":{"use":"sum"},"shuffle":{"by":"range","order":"none","partitionFields":1},` + out + `}`,
			"spec.shuffle.order: by: range sorts, order: none does not (leave out order, or use by: hash)\n" +
				"spec.shuffle.partitionFields: partitionFields needs by: hash (a range is of whole keys: remove it)"},
		{`{` + in + `,"map":{"use":"words"},"reduce":{"use":"sum"},"shuffle":{"by":"first","partitions":2},` + out + `}`,
			`spec.shuffle.partitions: by: first has one reduce task, not 2 (remove partitions)`},
		{`{` + in + `,"map":{"use":"words"},"reduce":{"use":"sum"},"shuffle":{"groupFields":1,"partitionFields":2},` + out + `}`,
			`spec.shuffle.partitionFields: 2 fields choose the task but only 1 make the group, so a group could be torn apart (set partitionFields to at most groupFields)`},
		{`{` + in + `,"map":{"use":"words"},"reduce":{"use":"sum"},"shuffle":{"groupFields":1,"order":"none"},` + out + `}`,
			"spec.shuffle.groupFields: the whole key chooses the task, so a group could be torn apart (add partitionFields: 1)\n" +
				"spec.shuffle.order: groups need sorted keys (leave out order: none)"},
		{`{` + in + `,"map":{"use":"words"},"reduce":{"use":"sum"},"shuffle":{"durability":"memory","compression":"lz4"},` + out + `}`,
			`spec.shuffle.compression: what stays in memory is not compressed (leave out compression, or use another durability)`},
		{`{` + in + `,"map":{"use":"words"},"output":{"path":"file:///out/*","compression":"snappy"}}`,
			"spec.output.path: a pattern is not a folder (name one folder)\n" +
				"spec.output.compression: snappy needs format parquet (use zstd or gzip)"},
		{`{` + in + `,"map":{"use":"words"},"output":{"path":"file:///out","format":"arrow","compression":"gzip"}}`,
			`spec.output.compression: arrow files are compressed with zstd (use zstd or none)`},
	} {
		var lines []string
		for _, d := range Check(&core.Spec{Body: json.RawMessage(c.body)}, []string{"count", "sum", "words"}) {
			line := d.String()
			if d.Warning {
				line = "~" + line
			}
			lines = append(lines, line)
		}
		if got := strings.Join(lines, "\n"); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}
