package coordinate

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"testing"
)

func keys(list ...string) [][]byte {
	var out [][]byte
	for _, k := range list {
		out = append(out, []byte(k))
	}
	return out
}

func numeric(a, b []byte) int {
	x, _ := strconv.Atoi(string(a))
	y, _ := strconv.Atoi(string(b))
	return cmp.Compare(x, y)
}

func TestBounds(t *testing.T) {
	descending := func(a, b []byte) int { return bytes.Compare(b, a) }
	for _, c := range []struct {
		name    string
		samples [][][]byte
		n       int
		orders  []func(a, b []byte) int
		want    [][]byte
	}{
		{"no keys", nil, 4, nil, nil},
		{"one partition", [][][]byte{keys("a", "b")}, 1, nil, nil},
		{"halves", [][][]byte{keys("a", "c"), keys("b", "d")}, 2, nil, keys("c")},
		{"fewer keys than partitions", [][][]byte{keys("a")}, 3, nil, nil},
		{"a frequent first key", [][][]byte{keys("a", "a", "a", "a", "a", "b")}, 3, nil, keys("b")},
		{"a frequent key", [][][]byte{keys("a", "b", "b", "b", "b", "c")}, 3, nil, keys("b", "c")},
		{"descending", [][][]byte{keys("d", "c", "b", "a")}, 2, []func(a, b []byte) int{descending}, keys("b")},
		{"numbers", [][][]byte{keys("9", "10"), keys("100", "2000")}, 2, []func(a, b []byte) int{numeric, bytes.Compare}, keys("100")},
		{"not numbers after all", [][][]byte{keys("10", "9"), keys("100", "2000")}, 2, []func(a, b []byte) int{numeric, bytes.Compare}, keys("2000")},
	} {
		if got := bounds(c.samples, c.n, c.orders); !slices.EqualFunc(got, c.want, bytes.Equal) {
			t.Errorf("%s: bounds %q, want %q", c.name, got, c.want)
		}
	}
}
