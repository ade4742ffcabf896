package output

import (
	"fmt"
	"path"
	"strings"
)

// Kinds of parts.
const (
	Result     = "result"
	DeadLetter = "dead-letter"
	Side       = "side"
)

// Part is one file of the result, written under a name that carries its task
// try, and invisible until a manifest names it.
type Part struct {
	Name    string // final base name: "part-00003.parquet"
	Object  string // where its bytes lie now: "bucket/key" in the store
	Bytes   int64
	Rows    int64
	CRC32C  uint32
	Kind    string // "result", "dead-letter", "side"
	Ordinal int    // order among the parts
}

// ResultPart describes the rows of task ordinal: "part-00003.txt.gz".
func ResultPart(ordinal int, format, compression string) Part {
	return Part{Kind: Result, Ordinal: ordinal, Name: fmt.Sprintf("part-%05d%s", ordinal, Ext(format, compression))}
}

// DeadLetterPart describes the bad records of task ordinal.
func DeadLetterPart(ordinal int) Part {
	return Part{Kind: DeadLetter, Ordinal: ordinal, Name: fmt.Sprintf("part-%05d.jsonl", ordinal)}
}

// SidePart describes a side file of task ordinal: "name-00003". A name is one
// path component.
func SidePart(name string, ordinal int) Part {
	return Part{Kind: Side, Ordinal: ordinal, Name: fmt.Sprintf("%s-%05d", name, ordinal)}
}

// Path is the part's place below the destination.
func (p Part) Path() string {
	switch p.Kind {
	case DeadLetter:
		return "_dead/" + p.Name
	case Side:
		return "_side/" + p.Name
	}
	return p.Name
}

// attemptPath is Path with the attempt in the name, so that no two attempts
// write the same object: "part-00003-wordcount-x7-1.txt.gz".
func (p Part) attemptPath(m Meta) string {
	dir, base := path.Split(p.Path())
	stem, ext := base, ""
	if i := strings.IndexByte(base, '.'); i > 0 && p.Kind != Side {
		stem, ext = base[:i], base[i:]
	}
	return fmt.Sprintf("%s%s-%s-%d%s", dir, stem, m.Job, m.Epoch, ext)
}

// Ext is the file name extension of a format: ".txt", ".jsonl.gz", ".parquet".
func Ext(format, compression string) string {
	switch format {
	case "parquet":
		return ".parquet"
	case "arrow":
		return ".arrow"
	}
	ext := map[string]string{"csv": ".csv", "json": ".jsonl", "fixed": ".bin"}[format]
	if ext == "" {
		ext = ".txt"
	}
	switch compression {
	case "gzip":
		ext += ".gz"
	case "zstd":
		ext += ".zst"
	}
	return ext
}
