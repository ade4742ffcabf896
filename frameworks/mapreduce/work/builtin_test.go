package work

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
)

// builtinJob is a document over text with two built-ins; reduce may be empty.
func builtinJob(mapStep, reduceStep, more string) string {
	s := `{"input":{"path":"file:///x"},"map":` + mapStep
	if reduceStep != "" {
		s += `,"reduce":` + reduceStep
	}
	return s + more + `,"output":{"path":"file:///y"}}`
}

func TestBuiltIns(t *testing.T) {
	pairs := "b\t3\na\t1\nb\t-4\na\t10\nb\t3\n"
	id := `{"use":"identity"}`
	for _, c := range []struct{ mapStep, reduceStep, text, want string }{
		{`{"use":"lines"}`, ``, "x\ny\n", "x\ny\n"},
		{id, ``, "k\tv\nno tab\n\tempty\n", "k\tv\nno tab\n\tempty\n"},
		{`{"use":"identity","with":{"separator":",","keyFields":"2"}}`, ``, "a,b,c\n", "a,b\tc\n"},
		{`{"use":"grep","with":{"pattern":"^a.c"}}`, ``, "abc\nxabc\nadcd\n", "abc\nadcd\n"},
		{`{"use":"grep","with":{"pattern":"b","invert":"true"}}`, ``, "abc\nxyz\n", "xyz\n"},
		{`{"use":"grep","with":{"pattern":"[0-9]+","only":"true"}}`, `{"use":"count"}`, "a1 b22 1\n1\n", "1\t3\n22\t1\n"},
		{`{"use":"field","with":{"key":"2","value":"1"}}`, ``, "a\tb\nc\n", "b\ta\n\tc\n"},
		{`{"use":"field","with":{"key":"2","separator":" "}}`, `{"use":"count"}`, "a b\nc b\n", "b\t2\n"},
		{`{"use":"words","with":{"lower":"true"}}`, `{"use":"sum"}`, "The the ÉÉ éé\n", "the\t2\néé\t2\n"},
		{`{"use":"words","with":{"pattern":"letters"}}`, `{"use":"sum"}`, "f(x_1, x_1)+é\n", "f\t1\nx_1\t2\né\t1\n"},
		{`{"use":"words"}`, `{"use":"count"}`, "b a b\n", "a\t1\nb\t2\n"},
		{`{"use":"words"}`, `{"use":"distinct"}`, "b a b\n", "a\nb\n"},
		{id, `{"use":"sum"}`, pairs, "a\t11\nb\t2\n"},
		{id, `{"use":"sum","with":{"type":"float64"}}`, "a\t0.5\na\t1e2\n", "a\t100.5\n"},
		{id, `{"use":"count"}`, pairs, "a\t2\nb\t3\n"},
		{id, `{"use":"min"}`, pairs, "a\t1\nb\t-4\n"},
		{id, `{"use":"max"}`, pairs, "a\t10\nb\t3\n"},
		{id, `{"use":"max","with":{"type":"float64"}}`, "a\t0.5\na\t-2\n", "a\t0.5\n"},
		{id, `{"use":"mean"}`, pairs, "a\t5.5\nb\t0.6666666666666666\n"},
		{id, `{"use":"first"}`, pairs, "a\t1\nb\t3\n"},
		{id, `{"use":"identity"}`, pairs, "a\t1\na\t10\nb\t3\nb\t-4\nb\t3\n"},
		{id, `{"use":"join","with":{"separator":"+"}}`, pairs, "a\t1+10\nb\t3+-4+3\n"},
		{id, `{"use":"top","with":{"n":"2"}}`, pairs, "a\t10\na\t1\nb\t3\nb\t3\n"},
		{`{"use":"lines"}`, `{"use":"identity"}`, "c\na\nb\na\n", "a\na\nb\nc\n"},
	} {
		body := builtinJob(c.mapStep, c.reduceStep, "")
		for _, splits := range []int{1, 3} {
			if got := (trial{body: body, text: c.text, splits: splits}).run(t); got.text != c.want {
				t.Errorf("%s → %s, %d splits:\ngot  %q\nwant %q", c.mapStep, c.reduceStep, splits, got.text, c.want)
			}
		}
	}
}

func TestCombinersChangeNothing(t *testing.T) {
	var b strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&b, "key%d\t%d\n", i*7919%1500, i%97-40)
	}
	for _, use := range []string{"sum", "min", "max", "first", "join", "count", "distinct", "identity"} {
		step := fmt.Sprintf(`{"use":%q}`, use)
		plain := trial{body: builtinJob(`{"use":"identity"}`, step, ""), text: b.String()}.run(t).text
		for _, budget := range []int{0, 100 << 10} {
			tr := trial{body: builtinJob(`{"use":"identity"}`, step, `,"combine":`+step), text: b.String(), splits: 3, budget: budget}
			if got := tr.run(t).text; got != plain {
				t.Errorf("%s with a combiner and budget %d: another answer", use, budget)
			}
		}
	}
}

func TestFloatSumsDoNotDependOnTheSplits(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "k%d\t%g\n", i%3, float64(i%77)*0.1+1e10*float64(i%2))
	}
	body := builtinJob(`{"use":"identity"}`, `{"use":"sum","with":{"type":"float64"}}`, "")
	want := trial{body: body, text: b.String()}.run(t).text
	for _, tr := range []trial{{splits: 7}, {splits: 2, budget: 10 << 10}, {splits: 30}} {
		tr.body, tr.text = body, b.String()
		if got := tr.run(t).text; got != want {
			t.Errorf("%d splits: %q, want %q", tr.splits, got, want)
		}
	}
}

func TestSecondarySort(t *testing.T) {
	// Station, time, reading: each station's first and all readings by time.
	text := "b\t3\tx\na\t2\ty\nb\t1\tz\na\t10\tw\nc\t5\tv\n"
	step := `{"use":"identity","with":{"keyFields":"2"}}`
	more := `,"shuffle":{"partitionFields":1,"groupFields":1}`
	for _, parts := range []int{1, 3} {
		got := trial{body: builtinJob(step, `{"use":"join"}`, more), text: text, splits: 2, parts: parts}.run(t)
		if sortedLines(got.text) != "a\tw,y\nb\tz,x\nc\tv\n" {
			t.Errorf("%d partitions: %q", parts, got.text)
		}
	}
}

func TestRangeIsATotalOrder(t *testing.T) {
	text := someText(20000)
	more := `,"shuffle":{"by":"range"}`
	want := strings.Split(strings.TrimSpace(countWords(text)), "\n")
	got := trial{body: builtinJob(`{"use":"words"}`, `{"use":"sum"}`, more), text: text, splits: 3, parts: 5}.run(t)
	if lines := strings.Split(strings.TrimSpace(got.text), "\n"); !slices.Equal(lines, want) {
		t.Errorf("%d lines, not in the total order of %d", len(lines), len(want))
	}
	for p, text := range got.parts {
		if n := strings.Count(text, "\n"); n == 0 || n > len(want)/2 {
			t.Errorf("partition %d has %d of %d rows", p, n, len(want))
		}
	}
}

func TestShuffleOrders(t *testing.T) {
	text := "10\n9\n-1\n100\n9\n"
	for order, want := range map[string]string{
		"ascending": "-1\n10\n100\n9\n9\n", "descending": "9\n9\n100\n10\n-1\n",
		"numeric": "-1\n9\n9\n10\n100\n", "numeric-descending": "100\n10\n9\n9\n-1\n",
	} {
		for _, by := range []string{"first", "range"} {
			more := fmt.Sprintf(`,"shuffle":{"order":%q,"by":%q}`, order, by)
			got := trial{body: builtinJob(`{"use":"lines"}`, `{"use":"identity"}`, more), text: text, splits: 2, parts: 3}.run(t)
			if got.text != want {
				t.Errorf("%s by %s: %q, want %q", order, by, got.text, want)
			}
		}
	}
}

func TestPreview(t *testing.T) {
	got := trial{body: builtinJob(`{"use":"words"}`, `{"use":"sum"}`, `,"preview":{"limit":2}`), text: "a b b c c c d d d d\n"}.run(t)
	if len(got.preview) != 2 || got.preview[0].Key != "d" || got.preview[0].Num != 4 || got.preview[1].Value != "3" {
		t.Errorf("preview %+v", got.preview)
	}
	byKey := trial{body: builtinJob(`{"use":"words"}`, `{"use":"sum"}`, `,"preview":{"limit":2,"by":"key","order":"ascending"}`), text: "b c a\n"}.run(t)
	if len(byKey.preview) != 2 || byKey.preview[0].Key != "a" || byKey.preview[1].Key != "b" {
		t.Errorf("preview %+v", byKey.preview)
	}
}

// TestPreviewOfNumbersAsKeys: merged by their text, 10 would come before 9.
func TestPreviewOfNumbersAsKeys(t *testing.T) {
	p := newPreview(&spec.Preview{Limit: 2, By: "key", Order: "ascending"}, Kinds{Int64, Int64})
	for _, k := range []int64{100, 9, 10} {
		p.number(AppendIntKey(nil, k), 1, 1)
	}
	rows := p.list()
	if len(rows) != 2 || rows[0].Key != "9" || rows[1].Key != "10" || bytes.Compare(rows[0].Sort, rows[1].Sort) >= 0 {
		t.Errorf("rows %+v", rows)
	}
}

func TestBadValuesAndOverflow(t *testing.T) {
	for _, c := range []struct{ text, what string }{
		{"k\tone\n", `value "one" of key "k" is not an integer`},
		{"k\t9223372036854775807\nk\t1\n", "64-bit integers"},
	} {
		_, failed := trial{body: builtinJob(`{"use":"identity"}`, `{"use":"sum"}`, ""), text: c.text}.try(t)
		if failed == nil || !strings.Contains(failed.Err.What, c.what) || failed.Err.Remedy == "" {
			t.Errorf("%q: %+v", c.text, failed)
		}
	}
}

func TestDeadLetters(t *testing.T) {
	text := "good\nb\xffd\ngood\n"
	_, failed := trial{body: wordCount, text: text}.try(t)
	if failed == nil || !failed.Fatal || !strings.Contains(failed.Err.Where, "at byte 5") {
		t.Errorf("not UTF-8: %+v", failed)
	}
	got := trial{body: strings.Replace(wordCount, `"output"`, `"onBadRecord":"deadLetter","output"`, 1), text: text}.run(t)
	if got.text != "good\t2\n" || !strings.Contains(got.dead, `"offset":5`) || got.done[0].DeadLetters != 1 {
		t.Errorf("text %q, dead letters %q", got.text, got.dead)
	}
}

func TestCheckFindsWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct{ body, path string }{
		{builtinJob(`{"use":"sum"}`, "", ""), "spec.map.use"},
		{builtinJob(`{"use":"words"}`, `{"use":"words"}`, ""), "spec.reduce.use"},
		{builtinJob(`{"use":"words","with":{"patern":"x"}}`, "", ""), "spec.map.with.patern"},
		{builtinJob(`{"use":"words","with":{"pattern":"x"}}`, "", ""), "spec.map.with.pattern"},
		{builtinJob(`{"use":"grep"}`, "", ""), "spec.map.with.pattern"},
		{builtinJob(`{"use":"grep","with":{"pattern":"("}}`, "", ""), "spec.map.with.pattern"},
		{builtinJob(`{"use":"words"}`, `{"use":"mean"}`, `,"combine":{"use":"mean"}`), "spec.combine.use"},
		{builtinJob(`{"use":"lines"}`, `{"use":"sum"}`, ""), "spec.reduce.use"},
		{builtinJob(`{"use":"words"}`, `{"use":"count"}`, `,"combine":{"use":"sum"}`), "spec.reduce.use"},
		{builtinJob(`{"use":"lines"}`, `{"use":"count"}`, `,"combine":{"use":"distinct"}`), "spec.reduce.use"},
		{builtinJob(`{"use":"words"}`, `{"use":"top","with":{"n":"0"}}`, ""), "spec.reduce.with.n"},
		{builtinJob(`{"use":"mine","program":"./mine"}`, "", ""), "spec.map.use"},
	} {
		body, err := spec.Parse([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		found := Check(body, Registry{})
		if len(found) != 1 || found[0].Path != c.path || found[0].Remedy == "" {
			t.Errorf("%s: found %+v, want a fault at %s", c.body, found, c.path)
		}
	}
}

func TestCatalogIsDocumented(t *testing.T) {
	names := BuiltIns()
	if !sort.StringsAreSorted(names) || !slices.Contains(names, "words") || !slices.Contains(names, "sum") {
		t.Errorf("built-ins %q", names)
	}
	for _, b := range Catalog() {
		if b.Doc == "" || b.Step != "map" && b.Step != "reduce" {
			t.Errorf("built-in %+v lacks its description", b)
		}
		for _, a := range b.With {
			if a.Doc == "" {
				t.Errorf("argument %s of %s lacks its description", a.Name, b.Name)
			}
		}
	}
}

func TestCancelledTryLeavesNothing(t *testing.T) {
	w, _, splits := trial{body: scriptJob("sleep 1000", "cat"), text: "a\n"}.worker(t)
	_, failed := runCancelled(t, w, splits)
	if failed == nil || failed.Err.Kind != core.Cancelled {
		t.Errorf("a cancelled try: %+v", failed)
	}
	checkEmpty(t, w)
}
