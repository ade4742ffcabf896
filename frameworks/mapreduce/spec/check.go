package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
)

// Check finds what the schema cannot say. builtIns are the names a step
// without a program may use. Paths point into the document ("spec.map.use").
// Diagnostics that are warnings do not refuse the spec.
func Check(s *core.Spec, builtIns []string) []core.Diagnostic {
	b, err := Parse(s.Body)
	if err != nil {
		e := core.AsError(err)
		msg := e.What
		if e.Err != nil {
			msg += ": " + e.Err.Error()
		}
		return []core.Diagnostic{{Path: "spec", Message: msg, Remedy: e.Remedy}}
	}
	c := checker{builtIns: builtIns}
	for _, step := range b.Steps() {
		c.step(step)
	}
	c.program(b)
	c.found = append(c.found, b.Shipped().Clashes()...)
	c.input(b)
	c.reduce(b)
	c.shuffle(b)
	c.output(b)
	return c.found
}

type checker struct {
	builtIns []string
	found    []core.Diagnostic
}

func (c *checker) add(path, message, remedy string) {
	c.found = append(c.found, core.Diagnostic{Path: "spec." + path, Message: message, Remedy: remedy})
}

func (c *checker) warn(path, message, remedy string) {
	c.found = append(c.found, core.Diagnostic{Path: "spec." + path, Message: message, Remedy: remedy, Warning: true})
}

func (c *checker) step(s NamedStep) {
	switch {
	case len(s.Exec) > 0 && (s.Use != "" || s.Program != ""):
		c.add(s.Name, "exec stands beside use or program", "keep one: a step is a built-in, a command or a program's function")
		return
	case len(s.Exec) == 0 && s.Use == "" && s.Program != "":
		c.add(s.Name, "program without the name of its function", "add use: <function>")
		return
	case len(s.Exec) == 0 && s.Use == "":
		c.add(s.Name, "no user code", "add use, exec, or program with use")
		return
	}
	if len(s.Exec) > 0 {
		c.exec(s)
		return
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"as", s.As != ""}, {"keyFields", s.KeyFields != 0}, {"separator", s.Separator != ""}} {
		if f.set {
			c.add(s.Name+"."+f.name, f.name+" belongs to exec", "remove it")
		}
	}
	if s.Program == "" && len(c.builtIns) > 0 && !slices.Contains(c.builtIns, s.Use) {
		c.add(s.Name+".use", fmt.Sprintf("no built-in is named %q", s.Use), c.suggest(s.Use))
	}
}

func (c *checker) exec(s NamedStep) {
	if s.Exec[0] == "" {
		c.add(s.Name+".exec.0", "the command is empty", "name a program")
	}
	if len(s.With) > 0 {
		c.add(s.Name+".with", "with belongs to use", "pass arguments in exec")
	}
	if s.As == "arrow" && (s.KeyFields > 1 || s.Separator != "\t") {
		c.add(s.Name+".as", "keyFields and separator belong to as: lines", "remove them, or set as: lines")
	}
}

func (c *checker) program(b *Body) {
	var first NamedStep
	for _, s := range b.Steps() {
		if s.Program == "" {
			continue
		}
		c.found = append(c.found, artifact.Faults(s.Name+".program", s.Program)...)
		switch {
		case first.Step == nil:
			first = s
		case first.Program != s.Program:
			c.add(s.Name+".program", "differs from "+first.Name+".program", "put all functions of a job into one program")
		}
	}
}

func (c *checker) input(b *Body) {
	in := b.Input
	for i, p := range in.Path {
		place := "input.path"
		if len(in.Path) > 1 {
			place += "." + strconv.Itoa(i)
		}
		c.url(place, p)
	}
	if len(in.Columns) > 0 && in.Format != "parquet" && in.Format != "arrow" {
		c.add("input.columns", "columns need format parquet or arrow", "remove it, or set the format")
	}
	if in.Delimiter != "," && in.Format != "csv" {
		c.add("input.delimiter", "delimiter needs format csv", "remove it, or set format: csv")
	}
	if strings.ContainsAny(in.Delimiter, "\"\r\n") {
		c.add("input.delimiter", fmt.Sprintf("%q cannot stand between fields", in.Delimiter), "quotes and line ends have a meaning of their own: use another character")
	}
	c.fixed(in)
	if in.SplitSize != 0 && in.SplitSize < 64<<10 {
		c.add("input.splitSize", fmt.Sprintf("%s is less than 64Ki", in.SplitSize), "a map task costs milliseconds: use 1Mi or more")
	}
}

func (c *checker) fixed(in Input) {
	switch {
	case in.Format != "fixed" && in.RecordLength != 0:
		c.add("input.recordLength", "recordLength needs format fixed", "remove it, or set format: fixed")
	case in.Format != "fixed" && in.KeyLength != 0:
		c.add("input.keyLength", "keyLength needs format fixed", "remove it, or set format: fixed")
	case in.Format == "fixed" && in.RecordLength == 0:
		c.add("input.recordLength", "format fixed needs the length of a record", "add recordLength: 100, or what the records have")
	case in.KeyLength > in.RecordLength:
		c.add("input.keyLength", fmt.Sprintf("a key of %d bytes in a record of %d", in.KeyLength, in.RecordLength), "set it to at most recordLength")
	}
}

func (c *checker) url(place, u string) {
	switch {
	case strings.HasPrefix(u, "s3://"):
		bucket, _, _ := strings.Cut(strings.TrimPrefix(u, "s3://"), "/")
		if bucket == "" || strings.ContainsAny(bucket, "*?[{") {
			c.add(place, fmt.Sprintf("%q names no bucket", u), "write s3://bucket/key")
		}
	case strings.HasPrefix(u, "file:///"):
	case strings.HasPrefix(u, "file://"):
		c.add(place, fmt.Sprintf("%q is not an absolute path", u), "write three slashes: file:///folder/file")
	case strings.HasPrefix(u, "/"):
		c.add(place, fmt.Sprintf("%q is a path, not a URL", u), "write file://"+u)
	default:
		c.add(place, fmt.Sprintf("%q is not a URL", u), "write file:///absolute/path or s3://bucket/key")
	}
}

func (c *checker) reduce(b *Body) {
	if b.Reduce != nil {
		return
	}
	if b.Combine != nil {
		c.add("combine", "combine without reduce", "add reduce, or remove combine: a map-only job has no shuffle")
	}
	if s := b.Shuffle; s.Partitions != 0 || s.By != "hash" || s.PartitionFields != 0 || s.GroupFields != 0 || s.Order != "ascending" || s.Durability != "disk" || s.Compression != "none" {
		c.warn("shuffle", "has no effect without reduce", "add reduce, for example {use: identity}, or remove shuffle")
	}
}

func (c *checker) shuffle(b *Body) {
	s := b.Shuffle
	if b.Reduce == nil {
		return
	}
	if s.By == "range" && s.Order == "none" {
		c.add("shuffle.order", "by: range sorts, order: none does not", "leave out order, or use by: hash")
	}
	if s.By == "range" && s.PartitionFields > 0 {
		c.add("shuffle.partitionFields", "partitionFields needs by: hash", "a range is of whole keys: remove it")
	}
	if s.By == "first" && s.Partitions > 1 {
		c.add("shuffle.partitions", fmt.Sprintf("by: first has one reduce task, not %d", s.Partitions), "remove partitions")
	}
	if s.Durability == "memory" && s.Compression != "none" {
		c.add("shuffle.compression", "what stays in memory is not compressed", "leave out compression, or use another durability")
	}
	if s.GroupFields > 0 && s.PartitionFields > s.GroupFields {
		c.add("shuffle.partitionFields", fmt.Sprintf("%d fields choose the task but only %d make the group, so a group could be torn apart", s.PartitionFields, s.GroupFields), "set partitionFields to at most groupFields")
	}
	if s.GroupFields > 0 && s.PartitionFields == 0 && s.By == "hash" && b.PartitionsOf(2, 1000) > 1 {
		c.add("shuffle.groupFields", "the whole key chooses the task, so a group could be torn apart", fmt.Sprintf("add partitionFields: %d", s.GroupFields))
	}
	if s.GroupFields > 0 && s.Order == "none" {
		c.add("shuffle.order", "groups need sorted keys", "leave out order: none")
	}
}

func (c *checker) output(b *Body) {
	c.url("output.path", b.Output.Path)
	if strings.ContainsAny(b.Output.Path, "*?{") {
		c.add("output.path", "a pattern is not a folder", "name one folder")
	}
	if b.Output.Compression == "snappy" && b.Output.Format != "parquet" {
		c.add("output.compression", "snappy needs format parquet", "use zstd or gzip")
	}
	if b.Output.Format == "arrow" && b.Output.Compression == "gzip" {
		c.add("output.compression", "arrow files are compressed with zstd", "use zstd or none")
	}
}

// suggest names the nearest built-in, or all of them.
func (c *checker) suggest(name string) string {
	best, dist := "", len(name)/2+1
	for _, b := range c.builtIns {
		if d := distance(strings.ToLower(name), b); d < dist {
			best, dist = b, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "one of: " + strings.Join(c.builtIns, ", ")
}

// distance is Levenshtein's: the least number of inserted, deleted and
// replaced bytes that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
