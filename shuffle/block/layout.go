package block

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
)

// Form is how a type lies in memory: which buffers it has, and whether it has
// children.
type Form uint8

const (
	FormNull       Form = iota // no buffer
	FormBits                   // validity, bits
	FormFixed                  // validity, values of Layout.Width bytes
	FormBinary                 // validity, int32 offsets, bytes
	FormLarge                  // validity, int64 offsets, bytes
	FormList                   // validity, int32 offsets; one child (lists and maps)
	FormLargeList              // validity, int64 offsets; one child
	FormFixedList              // validity; one child, Layout.Width elements each
	FormStruct                 // validity; children
	FormDictionary             // validity, indices of Layout.Width bytes; Layout.Values
)

// Layout is a type's memory layout.
type Layout struct {
	Form     Form
	Width    int // bytes of a FormFixed value or index, elements of a FormFixedList value
	Children []arrow.Field
	Values   arrow.DataType // of a dictionary's entries
}

// Buffers is the number of buffers of the array itself, children not counted.
func (l Layout) Buffers() int {
	switch l.Form {
	case FormNull:
		return 0
	case FormFixedList, FormStruct:
		return 1
	case FormBinary, FormLarge:
		return 3
	default:
		return 2
	}
}

// LayoutOf returns dt's layout, or an error that names a type the exchange
// does not carry. Extension types lie as their storage does.
func LayoutOf(dt arrow.DataType) (Layout, error) {
	switch t := dt.(type) {
	case *arrow.NullType:
		return Layout{Form: FormNull}, nil
	case *arrow.BooleanType:
		return Layout{Form: FormBits}, nil
	case *arrow.BinaryType, *arrow.StringType:
		return Layout{Form: FormBinary}, nil
	case *arrow.LargeBinaryType, *arrow.LargeStringType:
		return Layout{Form: FormLarge}, nil
	case *arrow.ListType:
		return Layout{Form: FormList, Children: t.Fields()}, nil
	case *arrow.MapType:
		return Layout{Form: FormList, Children: t.Fields()}, nil
	case *arrow.LargeListType:
		return Layout{Form: FormLargeList, Children: t.Fields()}, nil
	case *arrow.FixedSizeListType:
		return Layout{Form: FormFixedList, Width: int(t.Len()), Children: t.Fields()}, nil
	case *arrow.StructType:
		return Layout{Form: FormStruct, Children: t.Fields()}, nil
	case arrow.ExtensionType:
		return LayoutOf(t.StorageType())
	case *arrow.DictionaryType:
		return layoutOfDictionary(t)
	case arrow.FixedWidthDataType:
		if t.BitWidth() > 0 && t.BitWidth()%8 == 0 || dt.ID() == arrow.FIXED_SIZE_BINARY {
			return Layout{Form: FormFixed, Width: t.BitWidth() / 8}, nil
		}
	}
	return Layout{}, fmt.Errorf("type %s is not carried by an exchange: cast it to a plain type first", dt)
}

// layoutOfDictionary: entries are plain values, so that a dictionary can be
// told by its bytes.
func layoutOfDictionary(t *arrow.DictionaryType) (Layout, error) {
	index, ok := t.IndexType.(arrow.FixedWidthDataType)
	if !ok || !arrow.IsInteger(index.ID()) {
		return Layout{}, fmt.Errorf("type %s is not carried by an exchange: its index is not an integer", t)
	}
	values, err := LayoutOf(t.ValueType)
	if err != nil {
		return Layout{}, err
	}
	switch values.Form {
	case FormFixed, FormBinary, FormLarge:
		return Layout{Form: FormDictionary, Width: index.BitWidth() / 8, Values: t.ValueType}, nil
	}
	return Layout{}, fmt.Errorf("type %s is not carried by an exchange: decode the dictionary to %s first", t, t.ValueType)
}

// CheckSchema refuses a schema with a type the exchange does not carry, naming
// the field.
func CheckSchema(schema *arrow.Schema) error { return checkFields(schema.Fields(), "", 0) }

// maxDepth bounds the nesting of types, and with it every recursion here.
const maxDepth = 64

func checkFields(fields []arrow.Field, under string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("field %q is nested deeper than %d levels", under, maxDepth)
	}
	for _, f := range fields {
		name := under + f.Name
		l, err := LayoutOf(f.Type)
		if err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		if err := checkFields(l.Children, name+".", depth+1); err != nil {
			return err
		}
	}
	return nil
}

// Shape is how many arrays and buffers a batch of a schema has, depth first.
type Shape struct{ Arrays, Buffers int }

// ShapeOf returns the shape of schema's batches. The schema must pass
// [CheckSchema].
func ShapeOf(schema *arrow.Schema) Shape {
	var s Shape
	s.add(schema.Fields())
	return s
}

func (s *Shape) add(fields []arrow.Field) {
	for _, f := range fields {
		l, err := LayoutOf(f.Type)
		if err != nil {
			panic("block: shape of an unchecked schema: " + err.Error())
		}
		s.Arrays++
		s.Buffers += l.Buffers()
		s.add(l.Children)
	}
}
