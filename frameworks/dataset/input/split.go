package input

// File is one input file.
type File struct {
	URL  string // file:///… or s3://bucket/key
	Size int64  // bytes as stored
}

// Range is a part of a file: the records that begin in [Offset, Offset+Length).
// A range of a compressed file is always the whole file.
type Range struct {
	File
	Offset int64
	Length int64
	Codec  string // "", "gzip", "zstd"
}

// Split is the input of one map task: ranges, read in order. Small files share one.
type Split struct {
	Ranges []Range
	Bytes  int64 // sum of lengths
	// Columns of CSV and JSON lines: the same for all splits of a job, so that
	// every task sees one schema. Empty for other formats.
	Columns []Column
}

// TotalBytes is what splits hold together.
func TotalBytes(splits []Split) int64 {
	var n int64
	for i := range splits {
		n += splits[i].Bytes
	}
	return n
}

// Column is a column of CSV or JSON lines.
type Column struct {
	Name string
	Type string // "utf8", "int64", "float64", "bool"
}
