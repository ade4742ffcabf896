package work

import (
	"math"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

// Emitter takes pairs. Its methods retain neither key nor value. The key is
// encoded by its kind; a value of another kind than the step's is converted,
// and an error if it cannot be.
type Emitter interface {
	Emit(key, value []byte) error
	// EmitInt takes a value of kind Int64, Uint64 (its bits) or Bool (0 or 1).
	EmitInt(key []byte, v int64) error
	EmitFloat(key []byte, v float64) error
}

// parseWhole reads a value that must be an integer.
func parseWhole(key, value []byte) (int64, error) {
	if v, ok := smallInt(value); ok {
		return v, nil
	}
	v, err := strconv.ParseInt(string(trimBlank(value)), 10, 64)
	if err != nil {
		return 0, notNumber(key, value, "an integer").Do("emit integers, or set with: {type: float64}")
	}
	return v, nil
}

// smallInt reads plain decimal digits that cannot overflow: the usual value.
func smallInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	v := int64(0)
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}

func parseFloat(key, value []byte) (float64, error) {
	v, err := strconv.ParseFloat(string(trimBlank(value)), 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, notNumber(key, value, "a number").Do("emit numbers as values")
	}
	return v, nil
}

func notNumber(key, value []byte, what string) *core.Error {
	return core.Errorf(core.Failed, "value %q of key %q is not %s", clip(value), clip(key), what)
}

func trimBlank(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// clip keeps messages short.
func clip(b []byte) []byte {
	if len(b) > 60 {
		return append(append([]byte(nil), b[:57]...), "..."...)
	}
	return b
}
