package work

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// addUp is a program's sum, over int64 or float64, unknown to be a fold.
type addUp struct {
	noClose
	kind  Kind
	calls *int
}

func (a addUp) Reduce(_ context.Context, g *Group, out Emitter) error {
	*a.calls++
	var n int64
	var f float64
	for g.Next() {
		if a.kind == Float64 {
			f += g.Float()
		} else {
			n += g.Int()
		}
	}
	if a.kind == Float64 {
		return out.EmitFloat(g.Key(), f)
	}
	return out.EmitInt(g.Key(), n)
}

// pairMapper emits the number after each word of a line as its value.
type pairMapper struct{ noClose }

func (pairMapper) Block(_ context.Context, b input.Block, out Emitter) error {
	for _, line := range b.Lines() {
		if err := (splitMapper{separator: []byte("\t"), fields: 1}).emitLine(line, out); err != nil {
			return err
		}
	}
	return nil
}

func TestCombinersOfProgramsCombineInMemory(t *testing.T) {
	var text strings.Builder
	want := map[string]int{}
	for i := range 30000 {
		k := fmt.Sprintf("key%d", i%7)
		if i%5 == 0 {
			k = fmt.Sprintf("a-rather-long-rare-key-%d", i%4000)
		}
		fmt.Fprintf(&text, "%s\t%d\n", k, i%100)
		want[k] += i % 100
	}
	var lines []string
	for k, n := range want {
		lines = append(lines, fmt.Sprintf("%s\t%d\n", k, n))
	}
	slices.Sort(lines)
	for _, kind := range []Kind{Int64, Float64} {
		for _, budget := range []int{0, 1 << 20, 100 << 10} {
			calls := 0
			kinds := Kinds{Text, kind}
			add := ReduceFunc{In: kinds, Out: kinds, New: func(*Context) (Reducer, error) { return addUp{kind: kind, calls: &calls}, nil }}
			functions := Registry{
				Maps:    map[string]MapFunc{"pairs": {Out: kinds, New: func(*Context) (Mapper, error) { return pairMapper{}, nil }}},
				Reduces: map[string]ReduceFunc{"add": add},
			}
			step := `{"use":"add","program":"./p"}`
			got := trial{body: builtinJob(`{"use":"pairs","program":"./p"}`, step, `,"combine":`+step),
				functions: functions, text: text.String(), splits: 2, budget: budget}.run(t)
			if sortedLines(got.text) != strings.Join(lines, "") {
				t.Errorf("%s, budget %d: another answer", kind, budget)
			}
			if budget == 0 && calls > 20000 {
				t.Errorf("%s: %d calls for 30000 pairs: the lists do not work", kind, calls)
			}
		}
	}
}

func TestManyRunsMergeInRounds(t *testing.T) {
	text := strings.Repeat("a b c d e\n", 700)
	got := trial{body: wordCount, text: text, splits: 700, parts: 1}.run(t)
	if got.text != countWords(text) {
		t.Errorf("700 runs: %q", got.text)
	}
}
