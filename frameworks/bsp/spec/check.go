package spec

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/dataset"
)

// Check finds what the schema cannot say, but for the options of a built-in.
// Paths point into the document ("spec.algorithm.use"). Diagnostics that are
// warnings do not refuse the spec.
func Check(s *core.Spec) []core.Diagnostic {
	b, err := Parse(s.Body)
	if err != nil {
		e := core.AsError(err)
		msg := e.What
		if e.Err != nil {
			msg += ": " + e.Err.Error()
		}
		return []core.Diagnostic{{Path: "spec", Message: msg, Remedy: e.Remedy}}
	}
	c := new(checker)
	c.gang(&s.Gang)
	c.algorithm(&b.Algorithm)
	c.found = append(c.found, b.Shipped().Clashes()...)
	c.input("input", &b.Input, b.HasInput())
	c.graph(b)
	c.checkpoint(&b.Checkpoint)
	c.output(b)
	return c.found
}

type checker struct{ found []core.Diagnostic }

func (c *checker) at(path, message, remedy string) {
	c.found = append(c.found, core.Diagnostic{Path: path, Message: message, Remedy: remedy})
}

func (c *checker) add(path, message, remedy string) { c.at("spec."+path, message, remedy) }

// gang refuses what would change the number of ranks: each has a part of every
// checkpoint.
func (c *checker) gang(g *core.Gang) {
	size := g.Size
	if size == 0 {
		size = 2
	}
	if g.Min != 0 && g.Min != size {
		c.at("gang.min", "a BSP gang has one size", "remove min: checkpoints have a part for each rank")
	}
	if g.Max != 0 && g.Max != size {
		c.at("gang.max", "a BSP gang has one size", "remove max: checkpoints have a part for each rank")
	}
	if g.Restart == "none" {
		c.at("gang.restart", "a rank that is not placed anew would stop the others for ever", "remove restart, or set it to member or gang")
	}
}

func (c *checker) algorithm(a *Algorithm) {
	switch {
	case len(a.Exec) > 0 && (a.Use != "" || a.Program != ""):
		c.add("algorithm", "exec stands beside use or program", "keep one: a job runs a built-in, a command or a program's function")
	case len(a.Exec) > 0 && a.Exec[0] == "":
		c.add("algorithm.exec.0", "the command is empty", "name a program")
	case len(a.Exec) == 0 && a.Use == "" && a.Program != "":
		c.add("algorithm", "program without the name of its function", "add use: <function>")
	case len(a.Exec) == 0 && a.Use == "":
		c.add("algorithm", "nothing to run", "add use, exec, or program with use")
	}
	if len(a.Exec) > 0 && len(a.With) > 0 {
		c.add("algorithm.with", "with belongs to use", "pass arguments in exec")
	}
	c.found = append(c.found, artifact.Faults("algorithm.program", a.Program)...)
}

// input checks an input at a place of the body, if it is there.
func (c *checker) input(at string, in *dataset.Input, there bool) {
	if !there {
		return
	}
	for i, p := range in.Path {
		place := at + ".path"
		if len(in.Path) > 1 {
			place += "." + strconv.Itoa(i)
		}
		c.url(place, p)
	}
	if len(in.Columns) > 0 && in.Format != "parquet" && in.Format != "arrow" {
		c.add(at+".columns", "columns need format parquet or arrow", "remove it, or set the format")
	}
	if in.Delimiter != "," && in.Format != "csv" {
		c.add(at+".delimiter", "delimiter needs format csv", "remove it, or set format: csv")
	}
	if strings.ContainsAny(in.Delimiter, "\"\r\n") {
		c.add(at+".delimiter", fmt.Sprintf("%q cannot stand between fields", in.Delimiter), "quotes and line ends have a meaning of their own: use another character")
	}
	c.fixed(at, in)
	if in.SplitSize != 0 && in.SplitSize < 64<<10 {
		c.add(at+".splitSize", fmt.Sprintf("%s is less than 64Ki", in.SplitSize), "use 1Mi or more")
	}
}

func (c *checker) fixed(at string, in *dataset.Input) {
	switch {
	case in.Format != "fixed" && in.RecordLength != 0:
		c.add(at+".recordLength", "recordLength needs format fixed", "remove it, or set format: fixed")
	case in.Format != "fixed" && in.KeyLength != 0:
		c.add(at+".keyLength", "keyLength needs format fixed", "remove it, or set format: fixed")
	case in.Format == "fixed" && in.RecordLength == 0:
		c.add(at+".recordLength", "format fixed needs the length of a record", "add recordLength: 100, or what the records have")
	case in.KeyLength > in.RecordLength:
		c.add(at+".keyLength", fmt.Sprintf("a key of %d bytes in a record of %d", in.KeyLength, in.RecordLength), "set it to at most recordLength")
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

func (c *checker) graph(b *Body) {
	g := b.Graph
	if g == nil {
		return
	}
	if !b.HasInput() {
		c.add("graph", "a graph without input", "add input: {path: ...}")
	}
	if b.HasInput() && b.Input.Format == "fixed" {
		c.add("input.format", "a graph is not read from fixed records", "use text, csv, json, parquet or arrow")
	}
	named := b.Input.Format == "csv" || b.Input.Format == "json" || b.Input.Format == "parquet" || b.Input.Format == "arrow"
	for _, f := range []struct{ name, value string }{{"source", g.Source}, {"target", g.Target}, {"weight", g.Weight}} {
		if f.value != "" && !named {
			c.add("graph."+f.name, "columns of text have no names", "remove it: the columns are source, target, weight")
		}
	}
	if g.Weight != "" && !g.Weighted {
		c.add("graph.weight", "a column of weights in a graph without weights", "add weighted: true, or remove weight")
	}
	if g.Layout == "adjacency" && b.Input.Format != "text" {
		c.add("graph.layout", "adjacency lists are lines of text", "set input.format: text, or layout: edges")
	}
	if g.Vertices != nil {
		c.input("graph.vertices", g.Vertices, true)
	}
}

func (c *checker) checkpoint(k *Checkpoint) {
	if !k.Wanted() && k.Durability != "disk" {
		c.add("checkpoint.durability", "no checkpoints are made", "set every or period, or remove durability")
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
