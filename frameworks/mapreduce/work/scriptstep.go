package work

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/script"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
)

// perFile, set in spec.env, gives a mapper a process for each input file
// instead of one for each task: for scripts that read map_input_file.
const perFile = "CAPSTAN_PER_FILE"

// scriptStep is a running script with a goroutine that takes its output. From
// start to end only that goroutine uses the emitter.
type scriptStep struct {
	c      *Context
	p      *script.Process
	read   chan struct{} // closed when the output was read to its end
	err    error         // of reading; after read
	closed bool          // the script reads no more
}

// start starts the step's command; take reads its output.
func (s *scriptStep) start(ctx context.Context, take func(p *script.Process) error) error {
	cmd, err := s.c.command()
	if err != nil {
		return err
	}
	if s.p, err = script.Start(ctx, cmd); err != nil {
		return within("spec."+s.c.Name+".exec", err)
	}
	s.read, s.closed, s.err = make(chan struct{}), false, nil
	p, read := s.p, s.read
	go func() {
		defer close(read)
		if s.err = take(p); s.err != nil {
			p.Kill()
		}
	}()
	return nil
}

// write hands bytes to the script; once it reads no more they go nowhere.
func (s *scriptStep) write(b []byte) error {
	if s.closed {
		return nil
	}
	_, err := s.p.Write(b)
	if script.Closed(err) {
		s.closed = true
		return nil
	}
	return err
}

// end ends the input and waits for the output and the script's end.
func (s *scriptStep) end() error {
	if s.p == nil {
		return nil
	}
	p := s.p
	s.p = nil
	p.CloseInput()
	<-s.read
	err := p.Wait()
	if s.err != nil {
		return s.err // why it was killed
	}
	return err
}

// command is the step's command at its place.
func (c *Context) command() (script.Command, error) {
	dir, err := c.workingDir()
	if err != nil {
		return script.Command{}, err
	}
	argv := append([]string(nil), c.Step.Exec...)
	argv[0] = artifact.In(dir, argv[0])
	file, _ := c.Input()
	place := script.Place{
		Job: c.Job, Epoch: c.Epoch, Map: c.Reads(), Task: c.Task.Index, Try: c.Try, Reduce: c.Parts,
		InputFile: file, InputPaths: c.Body.Input.Path, Output: c.Body.Output.Path,
		Separator: mapSeparator(c.Body), KeyFields: max(1, c.Body.Map.KeyFields),
		Scratch: dir, Path: []string{dir},
	}
	for _, r := range c.Split().Ranges {
		if file == "" || r.URL == file {
			place.InputFile, place.InputStart, place.Length = r.URL, r.Offset, r.Length
			break
		}
	}
	return script.Command{
		Argv: argv, Dir: dir, Env: script.Environ(place, c.Body.Env),
		Counter: c.Count,
		Status:  func(text string) { c.Status(text); c.Alive() },
		Log:     func(line string) { c.Env.Log.Info(line, "task", c.Task.String(), "try", c.Try) },
	}, nil
}

func mapSeparator(b *spec.Body) string {
	if b.Map.Separator != "" {
		return b.Map.Separator
	}
	return "\t"
}

// Reads reports whether the task reads input: a map or sample task.
func (c *Context) Reads() bool { return c.Name != "reduce" }

// workingDir is a directory where the shipped files lie under their names, as
// scripts expect of Hadoop's.
func (c *Context) workingDir() (string, error) {
	dir := filepath.Join(c.Scratch(), c.Name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, os.ErrExist) {
			return dir, nil
		}
		return "", err
	}
	if c.Env.Files == "" {
		return dir, nil
	}
	files, err := os.ReadDir(c.Env.Files)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for _, f := range files {
		if err := os.Symlink(filepath.Join(c.Env.Files, f.Name()), filepath.Join(dir, f.Name())); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// lineSplitter emits lines of key and value.
type lineSplitter struct {
	separator []byte
	fields    int
}

func newLineSplitter(s spec.Step) lineSplitter {
	l := lineSplitter{separator: []byte(s.Separator), fields: max(1, s.KeyFields)}
	if s.Separator == "" {
		l.separator = []byte{'\t'}
	}
	return l
}

// lineEmitter is an Emitter that may take lines as they are.
type lineEmitter interface {
	EmitLines(lines []byte) (bool, error)
}

// emit emits whole lines.
func (l lineSplitter) emit(lines []byte, out Emitter) error {
	// Between key and value of the output stands a TAB: such lines go as they are.
	if whole, ok := out.(lineEmitter); ok && string(l.separator) == "\t" {
		if done, err := whole.EmitLines(lines); done || err != nil {
			return err
		}
	}
	if c, ok := out.(*Collector); ok && c.tally != nil && c.count && len(l.separator) == 1 &&
		bytes.IndexByte(lines, l.separator[0]) < 0 {
		return c.countLines(lines) // no line has a value: each is a key as it is
	}
	for len(lines) > 0 {
		n := bytes.IndexByte(lines, '\n')
		line := lines[:n]
		lines = lines[n+1:]
		key, value := line, []byte(nil)
		if l.fields == 1 && len(l.separator) == 1 {
			if i := bytes.IndexByte(line, l.separator[0]); i >= 0 {
				key, value = line[:i], line[i+1:]
			}
		} else if key = keyFields(line, l.separator, l.fields); len(key) < len(line) {
			value = line[len(key)+len(l.separator):]
		}
		if err := out.Emit(key, value); err != nil {
			return err
		}
	}
	return nil
}

// keyFieldsOfMap is the number of TAB-separated fields that keys of the map
// have: what a combiner must take for the key in what it reads, and what is
// taken for it in what it writes.
func keyFieldsOfMap(b *spec.Body) int {
	if len(b.Map.Exec) > 0 {
		if mapSeparator(b) != "\t" {
			return 1
		}
		return max(1, b.Map.KeyFields)
	}
	n, err := arguments(b.Map.With).positive("keyFields", 1)
	if s := b.Map.With["separator"]; err != nil || s != "" && s != "TAB" && s != "\t" {
		return 1
	}
	return n
}

// takeLines is the reading side of a step over lines.
func (c *Context) takeLines(out Emitter) func(*script.Process) error {
	split := newLineSplitter(c.Step)
	if c.Name == "combine" && string(split.separator) == "\t" {
		split.fields = max(split.fields, keyFieldsOfMap(c.Body))
	}
	most := int(c.Body.Input.MaxRecord)
	return func(p *script.Process) error {
		return script.ReadLines(p, most, func(lines []byte) error {
			c.Alive()
			return split.emit(lines, out)
		})
	}
}

// maxBody bounds a batch that a script writes.
const maxBody = 256 << 20

// takeRecords is the reading side of a step over Arrow streams.
func (c *Context) takeRecords(out Emitter) func(*script.Process) error {
	return func(p *script.Process) error {
		return script.ReadRecords(p, maxBody, func(key, value arrow.Array) error {
			c.Alive()
			return emitColumns(key, value, out)
		})
	}
}

// emitColumns emits a pair for each row. A null value counts as no value; a
// null key is an error.
func emitColumns(key, value arrow.Array, out Emitter) error {
	var k, v []byte
	ints, _ := value.(*array.Int64)
	floats, _ := value.(*array.Float64)
	for i := range key.Len() {
		if key.IsNull(i) {
			return core.Errorf(core.Failed, "row %d of the script's output has a null key", i).Do("leave such rows out, or give them a key")
		}
		k = appendCell(k[:0], key, i)
		var err error
		switch {
		case value == nil || value.IsNull(i):
			err = out.Emit(k, nil)
		case ints != nil:
			err = out.EmitInt(k, ints.Value(i))
		case floats != nil:
			err = out.EmitFloat(k, floats.Value(i))
		default:
			v = appendCell(v[:0], value, i)
			err = out.Emit(k, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scriptMapper maps lines through a script.
type scriptMapper struct {
	scriptStep
	file    string
	scratch []byte
}

func newScriptMapper(c *Context) (Mapper, error) {
	if c.Step.As == "arrow" {
		return &arrowMapper{scriptStep: scriptStep{c: c}}, nil
	}
	return &scriptMapper{scriptStep: scriptStep{c: c}}, nil
}

func (m *scriptMapper) Block(ctx context.Context, b input.Block, out Emitter) error {
	if m.p != nil && b.File != m.file && m.c.Body.Env[perFile] == "1" {
		if err := m.end(); err != nil {
			return err
		}
	}
	if m.p == nil {
		if err := m.start(ctx, m.c.takeLines(out)); err != nil {
			return err
		}
		m.file = b.File
	}
	return m.write(m.unix(b.Data))
}

// unix is p with the line ends that scripts expect.
func (m *scriptMapper) unix(p []byte) []byte {
	if !bytes.Contains(p, crlf) {
		return p
	}
	m.scratch = m.scratch[:0]
	for len(p) > 0 {
		i := bytes.Index(p, crlf)
		if i < 0 {
			return append(m.scratch, p...)
		}
		m.scratch = append(append(m.scratch, p[:i]...), '\n')
		p = p[i+2:]
	}
	return m.scratch
}

var crlf = []byte("\r\n")

func (m *scriptMapper) Close(ctx context.Context, out Emitter) error {
	if m.p == nil && ctx.Err() == nil {
		// A task without input has a process all the same: it may have an END block.
		if err := m.start(ctx, m.c.takeLines(out)); err != nil {
			return err
		}
	}
	return m.close(ctx)
}

// close ends the step; a context that has ended kills the script.
func (s *scriptStep) close(ctx context.Context) error {
	if s.p == nil {
		return nil
	}
	if ctx.Err() != nil {
		s.p.Kill()
	}
	err := s.end()
	if err != nil && ctx.Err() != nil && strings.Contains(err.Error(), "killed by signal 9") {
		return ctx.Err()
	}
	return err
}

// arrowMapper maps records through a script that speaks Arrow streams.
type arrowMapper struct {
	scriptStep
	w *script.RecordWriter
}

func (m *arrowMapper) Record(ctx context.Context, rec arrow.Record, out Emitter) error {
	if m.p == nil {
		if err := m.start(ctx, m.c.takeRecords(out)); err != nil {
			return err
		}
		m.w = script.NewRecordWriter(m.p)
	}
	if m.closed {
		return nil
	}
	if err := m.w.Write(rec); script.Closed(err) {
		m.closed = true
	} else if err != nil {
		return err
	}
	return nil
}

func (m *arrowMapper) Close(ctx context.Context, out Emitter) error {
	if m.p != nil && !m.closed && ctx.Err() == nil {
		if err := m.w.Close(); err != nil && !script.Closed(err) {
			return errors.Join(err, m.close(ctx))
		}
	}
	return m.close(ctx)
}
