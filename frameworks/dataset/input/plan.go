package input

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/frameworks/dataset"
)

const (
	// minSplit is the least a split shrinks to for the sake of busy cores: below
	// it the task costs more than its input.
	minSplit = 1 << 20
	// maxFiles bounds a split's description and the loss when its task fails.
	maxFiles = 4096
	// openCost is what a file weighs beside its bytes when small files are
	// packed, so that splits of many tiny files take as long as others.
	openCost = 4 << 10
)

// PlanOptions says how to cut.
type PlanOptions struct {
	SplitSize int64 // most bytes in a split; default DefaultSplitSize
	// MinTasks is how many splits keep the cores busy. Splits shrink towards it,
	// but not below 1 MiB.
	MinTasks int
	// Read is how the tasks will read: Plan looks into a few CSV or JSON files
	// for Split.Columns, and needs Read.Store for s3:// files.
	Read Options
}

// PlanOptionsOf takes the options from a document, for a gang of cores: about
// three splits per core, so that a slow core does not hold up the others, or one
// where splits may be as large as those of jobs that combine. Each of their tasks
// writes nearly the same keys, so that a second one costs more than a late core.
func PlanOptionsOf(in dataset.Input, store Store, cores int) PlanOptions {
	tasks := 3 * cores
	if in.SplitSize >= dataset.CombinedSplitSize {
		tasks = cores
	}
	return PlanOptions{SplitSize: int64(in.SplitSize), MinTasks: tasks, Read: OptionsOf(in, store, nil)}
}

// Plan cuts files into splits. Files that are about to be cut are opened: for
// the magic of a codec, or a Parquet file's row groups. The order of ranges is
// the order of files.
func Plan(ctx context.Context, files []File, o PlanOptions) ([]Split, error) {
	if o.SplitSize <= 0 {
		o.SplitSize = DefaultSplitSize
	}
	p := planner{o: o, size: splitSize(files, o), open: opener{store: o.Read.Store}}
	for _, f := range files {
		if err := p.file(ctx, f); err != nil {
			return nil, err
		}
	}
	p.flush()
	cols, err := Infer(ctx, files, o.Read)
	if err != nil {
		return nil, err
	}
	for i := range p.splits {
		p.splits[i].Columns = cols
	}
	return p.splits, nil
}

// splitSize is the split size that gives about MinTasks splits.
func splitSize(files []File, o PlanOptions) int64 {
	var total int64
	for _, f := range files {
		total += f.Size + openCost
	}
	size := o.SplitSize
	if o.MinTasks > 0 {
		size = min(size, max(total/int64(o.MinTasks)+1, minSplit))
	}
	return size
}

type planner struct {
	o      PlanOptions
	size   int64
	open   opener
	splits []Split
	now    Split
	weight int64 // of now
}

func (p *planner) file(ctx context.Context, f File) error {
	codec := codecByName(f.URL)
	if f.Size == 0 && codec == "" && p.lines() {
		return nil // no bytes, no records
	}
	if codec == "" && f.Size > p.size {
		cut, err := p.cut(ctx, f)
		if cut || err != nil {
			return err
		}
	}
	p.add(Range{File: f, Length: f.Size, Codec: codec})
	return nil
}

func (p *planner) lines() bool {
	switch p.o.Read.Format {
	case "", "text", "csv", "json", "fixed":
		return true
	}
	return false
}

// cut cuts a large file, if its format and content allow.
func (p *planner) cut(ctx context.Context, f File) (bool, error) {
	switch p.o.Read.Format {
	case "parquet":
		ranges, err := rowGroups(ctx, &p.open, f, p.size)
		for _, r := range ranges {
			p.add(r)
		}
		return true, err
	case "arrow":
		return false, nil
	case "fixed": // any bytes may begin it
	default:
		head, err := p.head(ctx, f)
		if err != nil || codecByMagic(head) != "" {
			return false, err
		}
	}
	// Equal ranges: a short last one would make an idle core at the end.
	n := (f.Size + p.size - 1) / p.size
	for i := range n {
		at := f.Size * i / n
		p.add(Range{File: f, Offset: at, Length: f.Size*(i+1)/n - at})
	}
	return true, nil
}

func (p *planner) head(ctx context.Context, f File) ([]byte, error) {
	src, err := p.open.open(f, int64(len(zstdMagic)))
	if err != nil {
		return nil, err
	}
	defer src.close()
	head := make([]byte, len(zstdMagic))
	n, err := src.readAt(ctx, head, 0)
	if err != nil {
		return nil, readError(f.URL, err)
	}
	return head[:n], nil
}

// add puts r into the current split, or begins the next.
func (p *planner) add(r Range) {
	weight := r.Length + openCost
	if len(p.now.Ranges) > 0 && (p.weight+weight > p.size+openCost || len(p.now.Ranges) == maxFiles) {
		p.flush()
	}
	p.now.Ranges = append(p.now.Ranges, r)
	p.now.Bytes += r.Length
	p.weight += weight
}

func (p *planner) flush() {
	if len(p.now.Ranges) > 0 {
		p.splits = append(p.splits, p.now)
	}
	p.now, p.weight = Split{}, 0
}

// String shows a split in messages: its file, or its first file and how many
// more.
func (s Split) String() string {
	switch len(s.Ranges) {
	case 0:
		return "no input"
	case 1:
		return s.Ranges[0].URL
	}
	return fmt.Sprintf("%s and %d more", s.Ranges[0].URL, len(s.Ranges)-1)
}
