package input

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
)

// parquetFile reads the row groups that begin in a range.
type parquetFile struct {
	src source
	pf  *file.Reader
	rr  pqarrow.RecordReader
}

func openParquet(ctx context.Context, src source, r Range, o Options) (recordFile, error) {
	if r.Codec != "" {
		return nil, errors.New("Parquet inside " + r.Codec + " cannot be read; Parquet compresses its own pages")
	}
	pf, err := file.NewParquetReader(section(ctx, src, r.Size))
	if err != nil {
		return nil, err
	}
	var groups []int
	for i := range pf.NumRowGroups() {
		at, err := groupOffset(pf.MetaData(), i)
		if err != nil {
			return nil, err
		}
		// An offset that is no place in the file is that of no range, and the
		// group's rows would be gone: let the last range find out.
		at = min(max(at, 0), r.Size-1)
		if at >= r.Offset && at < r.Offset+r.Length {
			groups = append(groups, i)
		}
	}
	p := &parquetFile{src: src, pf: pf}
	if len(groups) == 0 {
		return p, nil
	}
	fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: int64(o.BatchRows)}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	leaves, err := leavesOf(fr, o.Columns, r.URL)
	if err != nil {
		return nil, err
	}
	p.rr, err = fr.GetRecordReader(ctx, leaves, groups)
	return p, err
}

// leavesOf lists the leaf columns of the named top-level columns.
func leavesOf(fr *pqarrow.FileReader, columns []string, url string) ([]int, error) {
	schema, err := fr.Schema()
	if err != nil {
		return nil, err
	}
	pick, err := project(schema, columns, url)
	if err != nil || pick == nil {
		return nil, err
	}
	var leaves []int
	for _, i := range pick {
		leaves = appendLeaves(leaves, &fr.Manifest.Fields[i])
	}
	return leaves, nil
}

func appendLeaves(leaves []int, f *pqarrow.SchemaField) []int {
	if f.IsLeaf() {
		return append(leaves, f.ColIndex)
	}
	for i := range f.Children {
		leaves = appendLeaves(leaves, &f.Children[i])
	}
	return leaves
}

func (p *parquetFile) next(context.Context) (arrow.Record, error) {
	if p.rr == nil {
		return nil, io.EOF
	}
	rec, err := p.rr.Read()
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, io.EOF
	}
	if err := checkRecord(rec); err != nil {
		return nil, err
	}
	rec.Retain()
	return rec, nil
}

func (p *parquetFile) close() error {
	if p.rr != nil {
		p.rr.Release()
	}
	return p.src.close()
}

// groupOffset is the offset of a row group's first page.
func groupOffset(md *metadata.FileMetaData, i int) (int64, error) {
	g := md.RowGroup(i)
	if g.NumColumns() == 0 {
		return 0, nil
	}
	c, err := g.ColumnChunk(0)
	if err != nil {
		return 0, err
	}
	at := c.DataPageOffset()
	if c.HasDictionaryPage() && c.DictionaryPageOffset() > 0 {
		at = min(at, c.DictionaryPageOffset())
	}
	return at, nil
}

// rowGroups cuts a Parquet file into ranges of whole row groups, each of about
// size bytes. The ranges tile the file (law I1).
func rowGroups(ctx context.Context, o *opener, f File, size int64) ([]Range, error) {
	opened, err := o.open(f, f.Size)
	if err != nil {
		return nil, err
	}
	defer opened.close()
	src := &watched{source: opened}
	cuts, err := contained(func() ([]int64, error) {
		pf, err := file.NewParquetReader(section(ctx, src, f.Size))
		if err != nil {
			return nil, err
		}
		var cuts []int64
		last := int64(0)
		for i := range pf.NumRowGroups() {
			at, err := groupOffset(pf.MetaData(), i)
			if err != nil {
				return nil, err
			}
			if i > 0 && at-last >= size/2 && at > last && at < f.Size {
				cuts = append(cuts, at)
				last = at
			}
		}
		return cuts, nil
	})
	if e := foreign(f, src, err); e != nil {
		return nil, e
	}
	if err != nil {
		cuts = nil // the task that reads it says what is wrong with it
	}
	var ranges []Range
	from := int64(0)
	for _, to := range append(cuts, f.Size) {
		ranges = append(ranges, Range{File: f, Offset: from, Length: to - from})
		from = to
	}
	return ranges, nil
}
