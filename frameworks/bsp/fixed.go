package bsp

import "reflect"

// isFixed reports whether all values of v's type have one size: numbers, truth
// values, arrays and structs of them with exported fields.
func isFixed(v any) bool {
	switch v.(type) {
	case float64, int64, uint64, float32, int32, uint32, bool, uint8, int8, int16, uint16:
		return true
	}
	return v != nil && fixedType(reflect.TypeOf(v))
}

func fixedType(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return true
	case reflect.Array:
		return fixedType(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); !f.IsExported() || !fixedType(f.Type) {
				return false
			}
		}
		return true
	}
	return false
}
