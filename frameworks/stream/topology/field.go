package topology

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
)

// Type is the type of a field, by the name that Arrow gives it.
type Type string

const (
	Text      Type = "utf8"
	Integer   Type = "int64"
	Float     Type = "float64"
	Bool      Type = "bool"
	Binary    Type = "binary"
	Timestamp Type = "timestamp" // milliseconds since 1970, UTC
	JSON      Type = "json"      // its JSON text; the type of what declares none
)

// Types lists the names of all types.
func Types() []string {
	return []string{string(Text), string(Integer), string(Float), string(Bool), string(Binary), string(Timestamp), string(JSON)}
}

// Arrow is the type that columns of it have; nil for an unknown one.
func (t Type) Arrow() arrow.DataType {
	switch t {
	case Text, JSON:
		return arrow.BinaryTypes.String
	case Integer:
		return arrow.PrimitiveTypes.Int64
	case Float:
		return arrow.PrimitiveTypes.Float64
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Binary:
		return arrow.BinaryTypes.Binary
	case Timestamp:
		return arrow.FixedWidthTypes.Timestamp_ms
	}
	return nil
}

// Key reports whether fields of the type can be grouped by.
func (t Type) Key() bool { return t != Float && t.Arrow() != nil }

// Schema is the Arrow schema of fields. A JSON field is marked as such.
func Schema(fields []Field) *arrow.Schema {
	list := make([]arrow.Field, len(fields))
	for i, f := range fields {
		list[i] = arrow.Field{Name: f.Name, Type: f.Type.Arrow(), Nullable: true}
		if f.Type == JSON {
			list[i].Metadata = arrow.NewMetadata([]string{"capstan.type"}, []string{string(JSON)})
		}
	}
	return arrow.NewSchema(list, nil)
}

// Index is where fields has one of that name; -1: nowhere.
func Index(fields []Field, name string) int {
	for i, f := range fields {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// Names lists the names of fields.
func Names(fields []Field) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.Name
	}
	return list
}

// ParseFields reads fields written "name" or "name:type", such as "count:int64".
func ParseFields(list []string) ([]Field, error) {
	fields := make([]Field, 0, len(list))
	for _, s := range list {
		name, kind, typed := strings.Cut(s, ":")
		f := Field{Name: name, Type: JSON}
		if typed {
			f.Type = Type(kind)
		}
		switch {
		case name == "":
			return nil, fmt.Errorf("%q: a field has a name", s)
		case f.Type.Arrow() == nil:
			return nil, fmt.Errorf("%q: there is no type %q; there are: %s", s, kind, strings.Join(Types(), ", "))
		case Index(fields, name) >= 0:
			return nil, fmt.Errorf("there are two fields %q", name)
		}
		fields = append(fields, f)
	}
	return fields, nil
}
