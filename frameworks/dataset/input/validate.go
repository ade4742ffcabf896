package input

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
)

// checkRecord checks that the buffers of a record hold what its lengths claim,
// so that reading values cannot leave them: Arrow's reader does not.
func checkRecord(rec arrow.Record) error {
	for i, col := range rec.Columns() {
		if int64(col.Len()) != rec.NumRows() {
			return fmt.Errorf("column %q has %d rows, the record %d", rec.ColumnName(i), col.Len(), rec.NumRows())
		}
		if err := checkData(col.Data()); err != nil {
			return fmt.Errorf("column %q: %w", rec.ColumnName(i), err)
		}
	}
	return nil
}

func checkData(d arrow.ArrayData) error {
	n := d.Offset() + d.Len()
	if d.Offset() < 0 || d.Len() < 0 || n < 0 {
		return errors.New("its length is negative")
	}
	bufs := d.Buffers()
	if len(bufs) > 0 && bufs[0] != nil && bufs[0].Len() > 0 && bufs[0].Len() < (n+7)/8 {
		return errors.New("its validity bitmap is too short")
	}
	if err := checkLayout(d, n); err != nil {
		return err
	}
	for _, c := range d.Children() {
		if err := checkData(c); err != nil {
			return err
		}
	}
	if dict := d.Dictionary(); dict != nil && d.DataType().ID() == arrow.DICTIONARY {
		return checkDictionary(d, n)
	}
	return nil
}

// checkLayout checks the buffers of d's own type for n values.
func checkLayout(d arrow.ArrayData, n int) error {
	switch t := d.DataType().(type) {
	case *arrow.StringType, *arrow.BinaryType:
		return checkOffsets(arrow.Int32Traits.CastFromBytes(bufferOf(d, 1)), n, len(bufferOf(d, 2)))
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		return checkOffsets(arrow.Int64Traits.CastFromBytes(bufferOf(d, 1)), n, len(bufferOf(d, 2)))
	case *arrow.ListType, *arrow.MapType:
		return checkOffsets(arrow.Int32Traits.CastFromBytes(bufferOf(d, 1)), n, childLen(d))
	case *arrow.LargeListType:
		return checkOffsets(arrow.Int64Traits.CastFromBytes(bufferOf(d, 1)), n, childLen(d))
	case *arrow.FixedSizeListType:
		if childLen(d) < n*int(t.Len()) {
			return errors.New("its list has too few values")
		}
	case *arrow.StructType:
		for _, c := range d.Children() {
			if c.Len() < n {
				return errors.New("a field has too few rows")
			}
		}
	case *arrow.DictionaryType:
		return checkWidth(d, n, t.IndexType.(arrow.FixedWidthDataType).BitWidth())
	case arrow.FixedWidthDataType:
		return checkWidth(d, n, t.BitWidth())
	}
	return nil
}

func bufferOf(d arrow.ArrayData, i int) []byte {
	if bufs := d.Buffers(); i < len(bufs) && bufs[i] != nil {
		return bufs[i].Bytes()
	}
	return nil
}

func childLen(d arrow.ArrayData) int {
	if len(d.Children()) == 0 {
		return 0
	}
	return d.Children()[0].Len()
}

func checkWidth(d arrow.ArrayData, n, bits int) error {
	if len(bufferOf(d, 1)) < (n*bits+7)/8 {
		return errors.New("its values are cut off")
	}
	return nil
}

func checkOffsets[T int32 | int64](offsets []T, n, limit int) error {
	if n == 0 {
		return nil
	}
	if len(offsets) < n+1 {
		return errors.New("its offsets are cut off")
	}
	last := T(0)
	for _, o := range offsets[:n+1] {
		if o < last {
			return errors.New("its offsets go backwards")
		}
		last = o
	}
	if int64(last) > int64(limit) {
		return errors.New("its offsets point beyond its values")
	}
	return nil
}

func checkDictionary(d arrow.ArrayData, n int) error {
	dict := d.Dictionary()
	limit := uint64(dict.Len())
	bits := d.DataType().(*arrow.DictionaryType).IndexType.(arrow.FixedWidthDataType).BitWidth()
	raw, valid := bufferOf(d, 1), bufferOf(d, 0)
	for i := d.Offset(); i < n; i++ {
		if len(valid) > 0 && valid[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		var v uint64
		for b := bits/8 - 1; b >= 0; b-- {
			v = v<<8 | uint64(raw[i*bits/8+b])
		}
		if v >= limit {
			return errors.New("an index points beyond its dictionary")
		}
	}
	return checkData(dict.(arrow.ArrayData))
}
