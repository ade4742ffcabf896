package exec

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/capstan-run/capstan/core"
)

// values are the aggregators of processes: they need not be made before, so all
// of them are the value of one of the peer's.
type values map[string]value

type value struct {
	Op    string `json:"op"`
	Value any    `json:"value"` // float64 or bool; nil: a sum beyond float64, which JSON cannot write
}

// check holds each value to its operation.
func (v values) check() error {
	for name, x := range v {
		ok := false
		switch x.Op {
		case "sum", "min", "max":
			_, ok = x.Value.(float64)
		case "all", "any":
			_, ok = x.Value.(bool)
		}
		if !ok {
			return fmt.Errorf("aggregator %q has the operation %q and the value %v", name, x.Op, x.Value)
		}
	}
	return nil
}

// merge combines what two ranks added. Where they disagree on the operation,
// that of the first holds, and a value that does not fit is left out.
func merge(a, b values) values {
	if a == nil {
		a = values{}
	}
	for name, y := range b {
		x, ok := a[name]
		if !ok {
			a[name] = y
			continue
		}
		x.Value = combine(x.Op, x.Value, y.Value)
		a[name] = x
	}
	return a
}

func combine(op string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	if x, ok := a.(float64); ok {
		y, ok := b.(float64)
		switch {
		case !ok:
		case op == "sum":
			if math.IsInf(x+y, 0) {
				return nil
			}
			return x + y
		case op == "min":
			return min(x, y)
		case op == "max":
			return max(x, y)
		}
	}
	if x, ok := a.(bool); ok {
		y, ok := b.(bool)
		switch {
		case !ok:
		case op == "all":
			return x && y
		case op == "any":
			return x || y
		}
	}
	return a
}

// json is how a process is told of them: names and values alone.
func (v values) json() string {
	plain := map[string]any{}
	for name, x := range v {
		plain[name] = x.Value
	}
	b, err := json.Marshal(plain)
	if err != nil {
		panic("exec: a value that came as JSON is none: " + err.Error())
	}
	return string(b)
}

// parse reads a JSON text of the end of an answer; none is the zero value.
func parse[T any](name, text string) (v T, err error) {
	if text == "" {
		return v, nil
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, fmt.Errorf("%s is not the JSON it should be: %w", name, err)
	}
	return v, nil
}

func differing(from int, step int64) error {
	return core.Errorf(core.Failed, "rank %d sent messages of other columns than a rank before it", from).
		At(fmt.Sprintf("superstep %d", step)).Do("send messages of one schema in a superstep")
}
