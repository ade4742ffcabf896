package coordinate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// TestPreviewGoesByTheOrderOfTheTasks, which is that of numbers where keys are
// numbers, and has numbers before what is none.
func TestPreviewGoesByTheOrderOfTheTasks(t *testing.T) {
	number := func(key string, sort byte) task.PreviewRow {
		return task.PreviewRow{Key: key, Sort: []byte{sort}, Value: "1", Num: 1, IsNum: true}
	}
	text := func(value string) task.PreviewRow { return task.PreviewRow{Key: "k", Value: value} }
	for _, c := range []struct {
		name    string
		preview spec.Preview
		rows    []task.PreviewRow
		want    [][]string
	}{
		{"numbers as keys", spec.Preview{By: "key", Order: "ascending", Limit: 2},
			[]task.PreviewRow{number("10", 10), number("11", 11), number("2", 2), number("9", 9)},
			[][]string{{"2", "1"}, {"9", "1"}}},
		{"numbers as keys, the last first", spec.Preview{By: "key", Order: "descending", Limit: 2},
			[]task.PreviewRow{number("9", 9), number("2", 2), number("10", 10), number("11", 11)},
			[][]string{{"11", "1"}, {"10", "1"}}},
		{"text among numbers", spec.Preview{By: "value", Order: "descending", Limit: 3},
			[]task.PreviewRow{text("zz"), number("10", 10), text("a"), number("9", 9)},
			[][]string{{"9", "1"}, {"10", "1"}, {"k", "zz"}}},
	} {
		m := &Machine{cfg: Config{Preview: &c.preview}}
		if d := cmp.Diff(c.want, m.preview(c.rows).Rows); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}
