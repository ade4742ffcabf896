package queue

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Amounts are limits by name of the resource: "cpu" in milli-CPUs, "memory" in
// bytes, others such as "gpu" in pieces. What is absent is not limited. In
// documents: {"cpu": "20", "memory": "64Gi", "gpu": 8}.
type Amounts map[string]int64

// MarshalJSON writes CPU and memory as documents have them.
func (a Amounts) MarshalJSON() ([]byte, error) {
	out := make(map[string]any, len(a))
	for name, n := range a {
		switch name {
		case "cpu":
			out[name] = core.MilliCPU(n)
		case "memory":
			out[name] = core.Bytes(n)
		default:
			out[name] = n
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Amounts) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*a = make(Amounts, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		n, err := parseAmount(name, raw[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		(*a)[name] = n
	}
	return nil
}

func parseAmount(name string, b []byte) (n int64, err error) {
	switch name {
	case "cpu":
		var c core.MilliCPU
		err = json.Unmarshal(b, &c)
		return int64(c), err
	case "memory":
		var m core.Bytes
		err = json.Unmarshal(b, &m)
		return int64(m), err
	}
	err = json.Unmarshal(b, &n)
	return n, err
}

// caps are amounts as a vector: element i counts only if bit i of has is set.
type caps struct {
	v   core.Vector
	has uint8
}

// caps names the elements by dims, which learns new names.
func (a Amounts) caps(dims *core.Dimensions) (caps, error) {
	var c caps
	generic := make(map[string]int64, len(a))
	for name, n := range a {
		if name != "cpu" && name != "memory" {
			generic[name] = n
		}
	}
	v, err := dims.Vector(core.Resources{CPU: core.MilliCPU(a["cpu"]), Memory: core.Bytes(a["memory"])}, generic)
	if err != nil {
		return c, err
	}
	c.v = v
	for i := range dims.Len() {
		if _, ok := a[dims.Name(i)]; ok {
			c.has |= 1 << i
		}
	}
	return c, nil
}

// negative names an amount below zero, the first by name.
func (a Amounts) negative() (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if a[name] < 0 {
			return name, true
		}
	}
	return "", false
}
