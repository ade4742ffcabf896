package input

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
)

// sampleGroups is how many row groups of a range Options.Sample reads from.
const sampleGroups = 4

// parquetFile reads the row groups that begin in a range.
type parquetFile struct {
	src    source
	fr     *pqarrow.FileReader
	leaves []int
	groups []int // still to read
	first  int64 // rows of the file before those of groups
	sample bool
	rr     pqarrow.RecordReader // nil between groups
}

func openParquet(ctx context.Context, src source, r Range, o Options) (recordFile, error) {
	if r.Codec != "" {
		return nil, errors.New("Parquet inside " + r.Codec + " cannot be read; Parquet compresses its own pages")
	}
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = o.Sample // else it reads whole columns
	pf, err := file.NewParquetReader(section(ctx, src, r.Size), file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	var groups []int
	var rows, first int64
	for i := range pf.NumRowGroups() {
		at, err := groupOffset(pf.MetaData(), i)
		if err != nil {
			return nil, err
		}
		// An offset that is no place in the file is that of no range, and the
		// group's rows would be gone: let the last range find out.
		at = min(max(at, 0), r.Size-1)
		if at >= r.Offset && at < r.Offset+r.Length {
			if len(groups) == 0 {
				first = rows
			}
			groups = append(groups, i)
		}
		rows += pf.MetaData().RowGroup(i).NumRows()
	}
	p := &parquetFile{src: src, groups: groups, first: first, sample: o.Sample}
	if len(groups) == 0 {
		return p, nil
	}
	if p.fr, err = pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: int64(o.BatchRows)}, memory.DefaultAllocator); err != nil {
		return nil, err
	}
	if p.leaves, err = leavesOf(p.fr, o.Columns, r.URL); err != nil {
		return nil, err
	}
	if p.sample {
		p.groups = spread(groups, sampleGroups)
	}
	return p, p.nextGroups(ctx)
}

// spread picks at most n of list, evenly: the middle of each n-th part.
func spread(list []int, n int) []int {
	if len(list) <= n {
		return list
	}
	out := make([]int, n)
	for i := range out {
		out[i] = list[(2*i+1)*len(list)/(2*n)]
	}
	return out
}

// nextGroups opens the row groups to read: all of them, or for a sample one.
func (p *parquetFile) nextGroups(ctx context.Context) (err error) {
	now := p.groups
	if p.sample {
		now = now[:1]
	}
	p.groups = p.groups[len(now):]
	p.rr, err = p.fr.GetRecordReader(ctx, p.leaves, now)
	return err
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

func (p *parquetFile) next(ctx context.Context) (arrow.Record, error) {
	rec, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkRecord(rec); err != nil {
		return nil, err
	}
	rec.Retain()
	if p.sample {
		p.endGroups()
	}
	return rec, nil
}

// read is the next record, which stays the reader's.
func (p *parquetFile) read(ctx context.Context) (arrow.Record, error) {
	for {
		if p.rr == nil {
			if len(p.groups) == 0 {
				return nil, io.EOF
			}
			if err := p.nextGroups(ctx); err != nil {
				return nil, err
			}
		}
		rec, err := p.rr.Read()
		if err != nil && err != io.EOF {
			return nil, err
		}
		if rec != nil {
			return rec, nil
		}
		p.endGroups()
	}
}

func (p *parquetFile) endGroups() {
	if p.rr != nil {
		p.rr.Release()
		p.rr = nil
	}
}

func (p *parquetFile) close() error {
	p.endGroups()
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
