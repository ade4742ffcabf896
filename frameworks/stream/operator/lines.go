package operator

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// maxLine is the longest line that is taken.
const maxLine = 16 << 20

// lines reads files of text, one after the other; file i belongs to task
// i % tasks.
type lines struct {
	paths  []string // those of this task
	at     splits   // by path, how many bytes were read; -1: all
	now    int
	file   *os.File
	reader *bufio.Reader
	schema *arrow.Schema
	batch  int64
}

func newLines(m Make) (Source, error) {
	with, err := decode[LinesWith](m)
	if err != nil {
		return nil, err
	}
	pattern, err := input.LocalPath(with.Path)
	if err != nil {
		return nil, err
	}
	all, err := filepath.Glob(pattern)
	if err == nil && len(all) == 0 {
		err = core.Errorf(core.NotFound, "no file matches").At(with.Path).Do("check the path")
	}
	if err != nil {
		return nil, err
	}
	l := &lines{at: splits{}, batch: int64(m.Batch), schema: topology.Schema(m.Task.Component.Outputs[0].Fields)}
	for i := m.Task.Index; i < len(all); i += m.Task.Component.Tasks {
		l.paths = append(l.paths, all[i])
		l.at[all[i]] = 0
	}
	return l, nil
}

func (l *lines) Position() json.RawMessage { return l.at.position() }

func (l *lines) Seek(positions []json.RawMessage) error { return l.at.seek(positions) }

// Close closes the file that is being read.
func (l *lines) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

func (l *lines) Next(_ context.Context, out Emitter) (bool, error) {
	for ; l.now < len(l.paths); l.now++ {
		path := l.paths[l.now]
		if l.at[path] < 0 {
			continue
		}
		rec, err := l.read(path)
		if err != nil {
			return false, err
		}
		if rec != nil {
			return true, out.Emit(0, rec)
		}
		l.at[path] = -1
		_ = l.file.Close()
		l.file = nil
	}
	return false, nil
}

// read reads some lines; nil at the file's end.
func (l *lines) read(path string) (arrow.Record, error) {
	if l.file == nil {
		f, err := os.Open(path)
		if err != nil {
			return nil, core.Errorf(core.Failed, "%v", err).Do("check the file's permissions")
		}
		if _, err := f.Seek(l.at[path], io.SeekStart); err != nil {
			return nil, err
		}
		l.file, l.reader = f, bufio.NewReaderSize(f, 256<<10)
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	n := int64(0)
	for size := 0; n < l.batch && size < 1<<20; n++ {
		line, err := l.line(path)
		if errors.Is(err, io.EOF) && line == "" {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		l.at[path] += int64(len(line))
		size += len(line)
		b.Append(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
	}
	if n == 0 {
		return nil, nil
	}
	return array.NewRecord(l.schema, []arrow.Array{b.NewArray()}, n), nil
}

// line is the next line with its end.
func (l *lines) line(path string) (string, error) {
	var long []byte
	for {
		part, err := l.reader.ReadSlice('\n')
		if err == nil && long == nil {
			return string(part), nil
		}
		long = append(long, part...)
		if len(long) > maxLine {
			return "", core.Errorf(core.Failed, "a line is longer than %d bytes", maxLine).
				At(fmt.Sprintf("%s at byte %d", path, l.at[path])).Do("cut it, or read the file otherwise")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(long), err
		}
	}
}
