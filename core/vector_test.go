package core

import (
	"slices"
	"testing"
)

func TestDimensions(t *testing.T) {
	var d Dimensions
	v, err := d.Vector(Resources{CPU: 1500, Memory: 1 << 30}, map[string]int64{"gpu": 2, "fpga": 1})
	if err != nil || v != (Vector{1500, 1 << 30, 1, 2}) || d.Len() != 4 || d.Name(3) != "gpu" {
		t.Fatalf("%v, %v, %v", v, err, d)
	}
	c := d.Clone()
	if _, err := c.Vector(Resources{}, map[string]int64{"a": 1, "b": 1, "c": 1, "d": 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Vector(Resources{}, map[string]int64{"e": 1}); err == nil {
		t.Fatal("a ninth kind was taken")
	}
	if v, err := d.Vector(Resources{}, map[string]int64{"gpu": 1, "a": 1, "b": 1, "c": 1, "d": 1, "e": 1}); err == nil || d.Len() != 4 || v[3] != 1 {
		t.Fatalf("five kinds too many: %v, %v, %v", v, err, d)
	}
	if got := d.Unknown(map[string]int64{"gpu": 1, "b": 0, "a": 1}); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatal(got)
	}
	if d.Len() != 4 {
		t.Fatal("the clone shares its names")
	}
	if got := v.Add(v).Sub(v).Times(3); got != (Vector{4500, 3 << 30, 3, 6}) {
		t.Fatal(got)
	}
	if !v.Fits(v) || v.Fits(v.Min(Vector{1500, 1 << 30, 1, 1})) {
		t.Fatal("fits")
	}
}
