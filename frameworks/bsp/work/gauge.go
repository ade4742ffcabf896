package work

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// gauge notes what each superstep costs: the last few and the sum, for the
// coordinator, and all of them as lines of a file, for whoever draws them. Past
// seriesLines lines it writes every second one, then every fourth, and so on. The
// file lies in the gang's folder, so that who takes a lost rank's place goes on
// with it; a gang that gives way leaves it in the store for the next.
type gauge struct {
	mu       sync.Mutex
	last     []task.Superstep // since the last take, at most task.LastSteps
	total    task.Superstep
	counters map[string]int64
	records  int64 // of the input
	news     bool

	series      *os.File
	text        *bufio.Writer
	lines, skip int64 // written since skip was doubled; every skip-th superstep is written
	broken      error // of the series
	incarnation int
	rank        int
}

const seriesLines = 1 << 16

// SeriesHeader names the columns of the series that a rank writes. Times are
// nanoseconds; end is when the superstep came to its end, since 1970. The stage is
// "load" while the program loads its input, else "run".
const SeriesHeader = "incarnation,rank,superstep,end,compute,send,wait,checkpoint,messages,bytes,spilled,active,stage\n"

func newGauge(dir string, rank int) (*gauge, error) {
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("supersteps-%05d.csv", rank)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	g := &gauge{series: f, text: bufio.NewWriterSize(f, 64<<10), skip: 1, rank: rank}
	if err := g.resume(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return g, nil
}

// resume goes on behind the whole lines that the rank's executor before this one
// has written, or begins the series.
func (g *gauge) resume() error {
	var whole int64
	for in := bufio.NewReader(g.series); ; g.lines++ {
		line, err := in.ReadSlice('\n')
		if err == io.EOF || errors.Is(err, bufio.ErrBufferFull) {
			break // it was cut off while it was written
		}
		if err != nil {
			return err
		}
		whole += int64(len(line))
	}
	if err := g.series.Truncate(whole); err != nil {
		return err
	}
	if _, err := g.series.Seek(whole, io.SeekStart); err != nil {
		return err
	}
	if whole == 0 {
		_, err := g.text.WriteString(SeriesHeader)
		return err
	}
	for g.lines--; g.lines >= seriesLines; g.lines -= seriesLines { // without the header
		g.skip *= 2
	}
	return nil
}

// none reports whether the series has no line yet.
func (g *gauge) none() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lines == 0 && g.skip == 1
}

// recall makes in the beginning of the series, of which nothing is kept so far.
func (g *gauge) recall(in io.Reader) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.text.Reset(g.series)
	if err := g.rewind(); err != nil {
		return err
	}
	_, err := io.Copy(g.series, in)
	if err != nil {
		err = errors.Join(err, g.series.Truncate(0))
	}
	_, seek := g.series.Seek(0, io.SeekStart)
	return errors.Join(err, seek, g.resume())
}

func (g *gauge) rewind() error {
	if err := g.series.Truncate(0); err != nil {
		return err
	}
	_, err := g.series.Seek(0, io.SeekStart)
	return err
}

// begin starts the count of an incarnation.
func (g *gauge) begin(incarnation int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.incarnation, g.last, g.total, g.news = incarnation, nil, task.Superstep{}, false
}

// observe is peer.Config.Observe.
func (g *gauge) observe(s peer.Superstep) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counters, g.records = s.Counters, s.Records
	following := int64(0)
	if s.Edges > 0 {
		following = int64(s.Compute + s.Send + s.Wait)
	}
	if s.Ended {
		g.total.Add(task.Superstep{Edges: s.Edges, Following: following})
		return
	}
	t := task.Superstep{Number: s.Number + 1, Loading: s.Loading, Compute: int64(s.Compute), Send: int64(s.Send), Wait: int64(s.Wait),
		Checkpoint: int64(s.Checkpoint), Messages: s.Messages, Bytes: s.Bytes, Active: s.Active, Spilled: s.Spilled,
		Edges: s.Edges, Following: following}
	if t.Loading {
		t.Load = t.Compute + t.Send + t.Wait + t.Checkpoint
	}
	if len(g.last) == task.LastSteps {
		copy(g.last, g.last[1:])
		g.last = g.last[:task.LastSteps-1]
	}
	g.last = append(g.last, t)
	g.total.Add(t)
	g.total.Number, g.news = t.Number, true
	g.line(t)
}

func (g *gauge) line(t task.Superstep) {
	if g.broken != nil || t.Number%g.skip != 0 {
		return
	}
	_, g.broken = fmt.Fprintf(g.text, "%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%s\n", g.incarnation, g.rank, t.Number, time.Now().UnixNano(),
		t.Compute, t.Send, t.Wait, t.Checkpoint, t.Messages, t.Bytes, t.Spilled, t.Active, t.Stage())
	if g.lines++; g.lines == seriesLines {
		g.lines, g.skip = 0, g.skip*2
	}
}

// take returns what happened since the last take, nil for nothing.
func (g *gauge) take() *task.Steps {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.news {
		return nil
	}
	if g.broken == nil {
		g.broken = g.text.Flush() // lest an executor that is lost takes more with it than since the last take
	}
	s := &task.Steps{Incarnation: g.incarnation, Last: g.last, Total: g.total}
	g.last, g.news = nil, false
	return s
}

// read is how many records of the input the program has read.
func (g *gauge) read() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.records
}

func (g *gauge) sum() (task.Superstep, map[string]int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total, g.counters
}

// whole is all of the series so far. It is valid until close, and what is added
// meanwhile is no part of it.
func (g *gauge) whole() (*io.SectionReader, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := errors.Join(g.broken, g.text.Flush()); err != nil {
		return nil, err
	}
	size, err := g.series.Seek(0, io.SeekEnd)
	return io.NewSectionReader(g.series, 0, size), err
}

// put writes the series into a part of the result's side.
func (g *gauge) put(ctx context.Context, w *output.PartWriter) (output.Part, error) {
	defer w.Abort()
	series, err := g.whole()
	if err != nil {
		return output.Part{}, err
	}
	if _, err := io.Copy(w, series); err != nil {
		return output.Part{}, err
	}
	return w.Close(ctx, 0)
}

func (g *gauge) close() error { return g.series.Close() }
