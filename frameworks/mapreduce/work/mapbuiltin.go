package work

import (
	"bytes"
	"context"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// mapBuiltIn is a built-in map function.
type mapBuiltIn struct {
	BuiltIn
	value Kind // of its values
	make  func(a arguments) (func(*Context) Mapper, error)
}

func mapBuiltIns() []mapBuiltIn {
	separator := Argument{"separator", "what stands between fields", "TAB"}
	return []mapBuiltIn{
		{BuiltIn{"field", "map", "Two columns of each record: the key and, if named, the value. " +
			"Columns of text lines go by number from 1.", []Argument{
			{"key", "the column that is the key", "1"},
			{"value", "the column that is the value", "none"}, separator}}, Text, makeField},
		{BuiltIn{"grep", "map", "The lines that match a regular expression (RE2 syntax).", []Argument{
			{"pattern", "the regular expression; required", ""},
			{"invert", "true: the lines that do not match", "false"},
			{"only", "true: each match, not its line", "false"}}}, None, makeGrep},
		{BuiltIn{"identity", "map", "Each line as it is: the key up to the separator, the value after it.", []Argument{
			separator, {"keyFields", "how many fields make the key", "1"}}}, Text, makeIdentity},
		{BuiltIn{"lines", "map", "Each line is a key, without a value.", nil}, None, makeLines},
		{BuiltIn{"words", "map", "Each word of each line, with the value 1.", []Argument{
			{"pattern", "fields: words are what white space separates; letters: runs of letters, digits and underscores", "fields"},
			{"lower", "true: words in lower case", "false"}}}, Int64, makeWords},
	}
}

// words

type wordMapper struct {
	noClose
	tokenizer
	lower   bool
	scratch []byte
	one     []byte
}

func makeWords(a arguments) (func(*Context) Mapper, error) {
	pattern, err := a.oneOf("pattern", "fields", "letters")
	if err != nil {
		return nil, err
	}
	lower, err := a.flag("lower")
	set := fields
	if pattern == "letters" {
		set = letters
	}
	return func(*Context) Mapper { return &wordMapper{tokenizer: tokenizer{set: set}, lower: lower} }, err
}

func (m *wordMapper) Block(_ context.Context, b input.Block, out Emitter) error {
	p := b.Data
	if m.lower {
		p = m.lowered(p)
	}
	c, folding := out.(*Collector)
	folding = folding && c.tally != nil
	for at := 0; at < len(p); {
		var words []span
		words, at = m.next(p, at)
		if folding {
			if err := c.countSpans(p, words); err != nil {
				return err
			}
			continue
		}
		for _, w := range words {
			if err := out.EmitInt(p[w.start:w.end], 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// lowered is p in lower case, in memory of the mapper's.
func (m *wordMapper) lowered(p []byte) []byte {
	m.scratch = append(m.scratch[:0], p...)
	var wide byte
	for i, c := range m.scratch {
		wide |= c
		if c-'A' < 26 {
			m.scratch[i] = c | 0x20
		}
	}
	if wide >= utf8.RuneSelf {
		return bytes.ToLower(p)
	}
	return m.scratch
}

// lines

type lineMapper struct{ noClose }

func makeLines(arguments) (func(*Context) Mapper, error) {
	return func(*Context) Mapper { return lineMapper{} }, nil
}

func (lineMapper) Block(_ context.Context, b input.Block, out Emitter) error {
	for _, line := range b.Lines() {
		if err := out.Emit(line, nil); err != nil {
			return err
		}
	}
	return nil
}

// identity

type splitMapper struct {
	noClose
	separator []byte
	fields    int
}

func makeIdentity(a arguments) (func(*Context) Mapper, error) {
	separator, err := a.separator()
	if err != nil {
		return nil, err
	}
	n, err := a.positive("keyFields", 1)
	return func(*Context) Mapper { return splitMapper{separator: separator, fields: n} }, err
}

func (a arguments) separator() ([]byte, error) {
	s := a.text("separator", "\t")
	if s == "" || s == "TAB" {
		s = "\t"
	}
	if bytes.ContainsAny([]byte(s), "\r\n") {
		return nil, core.Errorf(core.Invalid, "the separator holds a line end").At("with.separator").Do("name another")
	}
	return []byte(s), nil
}

func (m splitMapper) Block(_ context.Context, b input.Block, out Emitter) error {
	for _, line := range b.Lines() {
		if err := m.emitLine(line, out); err != nil {
			return err
		}
	}
	return nil
}

// Record takes records of a fixed length as they are, and others as lines of
// JSON.
func (m splitMapper) Record(ctx context.Context, rec arrow.Record, out Emitter) error {
	if !rec.Schema().Equal(input.FixedSchema) {
		lines := recordsAsLines{to: m}
		return lines.Record(ctx, rec, out)
	}
	if to, ok := out.(recordEmitter); ok {
		return to.EmitRecord(rec)
	}
	return emitRows(rec, out)
}

// recordEmitter takes pairs of bytes as they lie in a record of two columns. It
// retains what it keeps.
type recordEmitter interface{ EmitRecord(rec arrow.Record) error }

// emitRows emits the rows of a record of two columns of bytes.
func emitRows(rec arrow.Record, out Emitter) error {
	keys, values := rec.Column(0).(*array.Binary), rec.Column(1).(*array.Binary)
	for i := range int(rec.NumRows()) {
		if err := out.Emit(keys.Value(i), values.Value(i)); err != nil {
			return err
		}
	}
	return nil
}

func (m splitMapper) emitLine(line []byte, out Emitter) error {
	key := keyFields(line, m.separator, m.fields)
	if len(key) == len(line) {
		return out.Emit(key, nil)
	}
	return out.Emit(key, line[len(key)+len(m.separator):])
}

// grep

type grepMapper struct {
	noClose
	re           *regexp.Regexp
	literal      []byte // what the pattern is, if it is no pattern
	invert, only bool
}

func makeGrep(a arguments) (func(*Context) Mapper, error) {
	pattern := a.text("pattern", "")
	if pattern == "" {
		return nil, core.Errorf(core.Invalid, "grep has no pattern").At("with.pattern").Do("add with: {pattern: ...}")
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At("with.pattern").Do("write a regular expression in RE2 syntax")
	}
	invert, err := a.flag("invert")
	if err != nil {
		return nil, err
	}
	only, err := a.flag("only")
	if err != nil {
		return nil, err
	}
	if invert && only {
		return nil, core.Errorf(core.Invalid, "lines that do not match have no match to show").At("with.only").Do("keep one of invert and only")
	}
	m := grepMapper{re: re, invert: invert, only: only}
	if s, whole := re.LiteralPrefix(); whole && s != "" {
		m.literal = []byte(s)
	}
	return func(*Context) Mapper { return m }, nil
}

func (m grepMapper) Block(_ context.Context, b input.Block, out Emitter) error {
	if m.literal != nil && !m.invert && !bytes.Contains(b.Data, m.literal) {
		return nil
	}
	for _, line := range b.Lines() {
		if err := m.line(line, out); err != nil {
			return err
		}
	}
	return nil
}

func (m grepMapper) line(line []byte, out Emitter) error {
	if m.only {
		for _, at := range m.re.FindAllIndex(line, -1) {
			if err := out.Emit(line[at[0]:at[1]], nil); err != nil {
				return err
			}
		}
		return nil
	}
	match := false
	if m.literal != nil {
		match = bytes.Contains(line, m.literal)
	} else {
		match = m.re.Match(line)
	}
	if match == m.invert {
		return nil
	}
	return out.Emit(line, nil)
}

// field

type fieldMapper struct {
	noClose
	key, value string // names of columns; value may be empty
	keyAt      int    // of text lines, from 0; -1 if the name is no number
	valueAt    int
	separator  []byte
	cols       [][]byte
}

func makeField(a arguments) (func(*Context) Mapper, error) {
	separator, err := a.separator()
	if err != nil {
		return nil, err
	}
	m := fieldMapper{key: a.text("key", "1"), value: a.text("value", ""), separator: separator}
	if m.value == "none" {
		m.value = ""
	}
	m.keyAt, m.valueAt = columnNumber(m.key), columnNumber(m.value)
	return func(*Context) Mapper { m := m; return &m }, nil
}

func columnNumber(name string) int {
	n, err := strconv.Atoi(name)
	if err != nil || n < 1 {
		return -1
	}
	return n - 1
}

func (m *fieldMapper) Block(_ context.Context, b input.Block, out Emitter) error {
	if m.keyAt < 0 || m.value != "" && m.valueAt < 0 {
		return core.Errorf(core.Invalid, "columns of text lines have no names").At("spec.map.with").
			Do("name columns by number from 1, or set input.format to csv or json")
	}
	for _, line := range b.Lines() {
		key := nthField(line, m.separator, m.keyAt)
		var value []byte
		if m.value != "" {
			value = nthField(line, m.separator, m.valueAt)
		}
		if err := out.Emit(key, value); err != nil {
			return err
		}
	}
	return nil
}

// nthField is the n-th field of line from 0, empty if there is none.
func nthField(line, separator []byte, n int) []byte {
	for range n {
		i := bytes.Index(line, separator)
		if i < 0 {
			return nil
		}
		line = line[i+len(separator):]
	}
	if i := bytes.Index(line, separator); i >= 0 {
		return line[:i]
	}
	return line
}

func (m *fieldMapper) Record(_ context.Context, rec arrow.Record, out Emitter) error {
	key, err := m.column(rec, m.key)
	if err != nil {
		return err
	}
	var value arrow.Array
	if m.value != "" {
		if value, err = m.column(rec, m.value); err != nil {
			return err
		}
	}
	var k, v []byte
	for i := range int(rec.NumRows()) {
		k = appendCell(k[:0], key, i)
		v = v[:0]
		if value != nil {
			v = appendCell(v, value, i)
		}
		if err := out.Emit(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (m *fieldMapper) column(rec arrow.Record, name string) (arrow.Array, error) {
	if at := rec.Schema().FieldIndices(name); len(at) > 0 {
		return rec.Column(at[0]), nil
	}
	if n := columnNumber(name); n >= 0 && n < int(rec.NumCols()) {
		return rec.Column(n), nil
	}
	var names []string
	for _, f := range rec.Schema().Fields() {
		names = append(names, f.Name)
	}
	return nil, core.Errorf(core.Invalid, "the input has no column %q", name).At("spec.map.with").
		Do("name one of " + list(names))
}

// appendCell appends a value of an array as text; null is empty.
func appendCell(dst []byte, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return dst
	}
	switch a := a.(type) {
	case *array.String:
		return append(dst, a.Value(i)...)
	case *array.Binary:
		return append(dst, a.Value(i)...)
	case *array.Int64:
		return strconv.AppendInt(dst, a.Value(i), 10)
	case *array.Float64:
		return appendFloatText(dst, a.Value(i))
	default:
		return append(dst, a.ValueStr(i)...)
	}
}
