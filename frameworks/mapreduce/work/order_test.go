package work

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

var orders = []Order{{}, {Descending: true}, {Numeric: true}, {Numeric: true, Descending: true}}

// numberish draws keys that look like numbers, and some that do not.
func numberish() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		return []byte(rapid.OneOf(
			rapid.StringMatching(`[ \t]{0,2}[-+]?0{0,3}[0-9]{0,25}(\.[0-9]{0,3})?(e[-+]?[0-9]{1,2})?[a-z]?`),
			rapid.SampledFrom([]string{"", "-", ".", "9007199254740992", "9007199254740993", "9007199254740992.5", "-0", "+0", "1e999"}),
			rapid.String(),
		).Draw(t, "key"))
	})
}

func TestOrderIsTotalAndPrefixesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(numberish(), 3, 3).Draw(t, "keys")
		for _, o := range orders {
			a, b, c := keys[0], keys[1], keys[2]
			if sign(o.Compare(a, b)) != -sign(o.Compare(b, a)) {
				t.Fatalf("%+v: %q and %q compare differently the other way", o, a, b)
			}
			if o.Compare(a, b) == 0 && !bytes.Equal(a, b) {
				t.Fatalf("%+v: %q equals %q", o, a, b)
			}
			if o.Compare(a, b) < 0 && o.Compare(b, c) < 0 && o.Compare(a, c) >= 0 {
				t.Fatalf("%+v: %q < %q < %q, but not the first before the last", o, a, b, c)
			}
			if o.Prefix(a) < o.Prefix(b) && o.Compare(a, b) >= 0 {
				t.Fatalf("%+v: prefixes put %q before %q", o, a, b)
			}
		}
	})
}

func sign(n int) int { return cmp.Compare(n, 0) }

func TestNumericOrder(t *testing.T) {
	keys := []string{"10", "9", "-3", "x", "2.5", "1e2", " 7", "123456789012345678901", "123456789012345678900"}
	slices.SortFunc(keys, func(a, b string) int { return Order{Numeric: true}.Compare([]byte(a), []byte(b)) })
	want := []string{"-3", "x", "2.5", " 7", "9", "10", "1e2", "123456789012345678900", "123456789012345678901"}
	if !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
}

func TestTypedKeysKeepOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, j := rapid.Int64().Draw(t, "i"), rapid.Int64().Draw(t, "j")
		if a, b := AppendIntKey(nil, i), AppendIntKey(nil, j); bytes.Compare(a, b) != cmp.Compare(i, j) || IntKey(a) != i {
			t.Fatalf("int keys of %d and %d", i, j)
		}
		if a, b := AppendUintKey(nil, uint64(i)), AppendUintKey(nil, uint64(j)); bytes.Compare(a, b) != cmp.Compare(uint64(i), uint64(j)) || UintKey(a) != uint64(i) {
			t.Fatalf("uint keys of %d and %d", uint64(i), uint64(j))
		}
		x, y := rapid.Float64().Draw(t, "x"), rapid.Float64().Draw(t, "y")
		if a, b := AppendFloatKey(nil, x), AppendFloatKey(nil, y); bytes.Compare(a, b) != cmp.Compare(x, y) || FloatKey(a) != x {
			t.Fatalf("float keys of %v and %v", x, y)
		}
	})
	if k := AppendFloatKey(nil, math.NaN()); !math.IsNaN(FloatKey(k)) || bytes.Compare(k, AppendFloatKey(nil, math.Inf(1))) <= 0 {
		t.Error("NaN is not the last key")
	}
	if !bytes.Equal(AppendFloatKey(nil, math.Copysign(0, -1)), AppendFloatKey(nil, 0)) {
		t.Error("the two zeros are two keys")
	}
}

func TestSorterIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom(orders).Draw(t, "order")
		parts := rapid.IntRange(1, 5).Draw(t, "parts")
		keys := rapid.SliceOfN(rapid.SampledFrom([][]byte{
			nil, {0}, {0, 0}, []byte("a"), []byte("commonprefix-a"), []byte("commonprefix-b"), []byte("commonprefix"), []byte("12"), []byte("3"),
		}), 0, 300).Draw(t, "keys")
		items := make([]item, len(keys))
		for i, k := range keys {
			items[i] = item{o.Prefix(k), uint32(len(k) % parts), uint32(i)}
		}
		want := slices.Clone(items)
		slices.SortStableFunc(want, func(a, b item) int {
			return cmp.Or(cmp.Compare(a.part, b.part), o.Compare(keys[a.ref], keys[b.ref]))
		})
		got, ends := (&sorter{}).sort(items, parts, nil, func(a, b item) int { return o.Compare(keys[a.ref], keys[b.ref]) })
		if !slices.Equal(got, want) {
			t.Fatalf("sorted another way:\n%v\n%v", got, want)
		}
		if len(ends) != parts || ends[parts-1] != len(keys) {
			t.Fatalf("ends of partitions %v", ends)
		}
	})
}

func TestKeyFields(t *testing.T) {
	for _, c := range []struct {
		key  string
		n    int
		want string
	}{{"a\tb\tc", 1, "a"}, {"a\tb\tc", 2, "a\tb"}, {"a\tb\tc", 3, "a\tb\tc"}, {"a\tb", 9, "a\tb"}, {"", 1, ""}, {"\ta", 1, ""}} {
		if got := string(keyFields([]byte(c.key), []byte("\t"), c.n)); got != c.want {
			t.Errorf("%d fields of %q: %q, want %q", c.n, c.key, got, c.want)
		}
	}
}

func TestParseWhole(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 999999999999999999, math.MaxInt64, math.MinInt64} {
		got, err := parseWhole(nil, []byte(" "+strconv.FormatInt(v, 10)+"\r"))
		if err != nil || got != v {
			t.Errorf("%d reads as %d, %v", v, got, err)
		}
	}
	for _, s := range []string{"", "x", "1.5", "9223372036854775808", "1 2"} {
		if v, err := parseWhole(nil, []byte(s)); err == nil {
			t.Errorf("%q reads as %d", s, v)
		}
	}
}

func ExampleOrder() {
	o := Order{Numeric: true}
	fmt.Println(o.Compare([]byte("9"), []byte("10")) < 0)
	// Output: true
}
