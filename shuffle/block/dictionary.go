package block

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
)

// Dictionaries returns the dictionary types of schema in depth-first order,
// which is the order of their IDs in an Arrow IPC stream, from 0. The schema
// must pass [CheckSchema].
func Dictionaries(schema *arrow.Schema) []*arrow.DictionaryType {
	var types []*arrow.DictionaryType
	for i := range schema.NumFields() {
		types = dictionaries(types, schema.Field(i).Type)
	}
	return types
}

func dictionaries(to []*arrow.DictionaryType, dt arrow.DataType) []*arrow.DictionaryType {
	if t := dictionaryType(dt); t != nil {
		return append(to, t)
	}
	l, err := LayoutOf(dt)
	if err != nil {
		panic("block: dictionaries of an unchecked schema: " + err.Error())
	}
	for _, c := range l.Children {
		to = dictionaries(to, c.Type)
	}
	return to
}

// dictionaryType returns dt, or the storage of an extension, as a dictionary
// type, or nil.
func dictionaryType(dt arrow.DataType) *arrow.DictionaryType {
	switch t := dt.(type) {
	case *arrow.DictionaryType:
		return t
	case arrow.ExtensionType:
		return dictionaryType(t.StorageType())
	}
	return nil
}

// RecordDictionaries returns the dictionaries of rec's arrays, in the order of
// [Dictionaries]. They live as long as rec.
func RecordDictionaries(rec arrow.Record) []arrow.ArrayData {
	var out []arrow.ArrayData
	for _, col := range rec.Columns() {
		out = recordDictionaries(out, col.Data())
	}
	return out
}

func recordDictionaries(to []arrow.ArrayData, d arrow.ArrayData) []arrow.ArrayData {
	if dictionaryType(d.DataType()) != nil {
		return append(to, d.Dictionary())
	}
	for _, c := range d.Children() {
		to = recordDictionaries(to, c)
	}
	return to
}

// Indices returns a function that reads the dictionary index at position i of
// d's buffers. d must be a dictionary array of a schema that passes
// [CheckSchema].
func Indices(d arrow.ArrayData) func(i int) uint64 {
	l, err := LayoutOf(d.DataType())
	if err != nil || l.Form != FormDictionary {
		panic("block: indices of an array of " + d.DataType().String())
	}
	return indexReader(Bytes(d, 1), l.Width)
}

// indexReader returns a function that reads the i-th index of width bytes; a
// negative one, or one beyond the range of int, answers as a huge number.
func indexReader(src []byte, width int) func(i int) uint64 {
	switch width {
	case 1:
		return func(i int) uint64 { return uint64(src[i]) }
	case 2:
		s := Cast[uint16](src)
		return func(i int) uint64 { return uint64(s[i]) }
	case 4:
		s := Cast[uint32](src)
		return func(i int) uint64 { return uint64(s[i]) }
	}
	s := Cast[uint64](src)
	return func(i int) uint64 { return s[i] }
}

// checkIndices refuses an index, of an element that is not null, that names no
// entry of a dictionary of limit entries.
func checkIndices(t *arrow.DictionaryType, src, valid []byte, n, limit int) error {
	width := t.IndexType.(arrow.FixedWidthDataType).BitWidth() / 8
	least := uint64(limit) // of the bad ones
	if arrow.IsSignedInteger(t.IndexType.ID()) {
		least = min(least, 1<<(8*width-1)) // from there on they are negative
	}
	index := indexReader(src, width)
	for i := range n {
		if len(valid) > 0 && valid[i>>3]>>(i&7)&1 == 0 {
			continue // what lies below a null may be anything
		}
		if v := index(i); v >= least {
			return fmt.Errorf("%w: index %d into a dictionary of %d", ErrMalformed, v, limit)
		}
	}
	return nil
}
