package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/benchmarks/corpus"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

func contenders(ran *[]string, names ...string) []contender {
	var list []contender
	for _, n := range names {
		list = append(list, contender{result.Key{Series: n}, func(_ context.Context, s *result.Sample) error {
			*ran = append(*ran, fmt.Sprint(n, s.Repetition))
			return nil
		}})
	}
	return list
}

func TestAlternateTurnsTheOrder(t *testing.T) {
	b := &bench{Config: Config{Repeat: 3, Log: t.Output()}, result: new(result.Result)}
	var ran []string
	if err := b.alternate(t.Context(), contenders(&ran, "a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields("a1 b1 c1 b2 c2 a2 c3 a3 b3"), ran); diff != "" {
		t.Error(diff)
	}
	if len(b.result.Samples) != 9 {
		t.Errorf("%d samples", len(b.result.Samples))
	}
}

func TestAlternateEndsWithTheFirstFailure(t *testing.T) {
	b := &bench{Config: Config{Repeat: 2, Log: t.Output()}, result: new(result.Result)}
	var ran []string
	list := contenders(&ran, "a", "b", "c")
	wrong := errors.New("wrong")
	list[1].run = func(context.Context, *result.Sample) error { return wrong }
	if err := b.alternate(t.Context(), list); !errors.Is(err, wrong) {
		t.Errorf("%v", err)
	}
	if len(b.result.Samples) != 1 {
		t.Errorf("%d samples: a failed run is none", len(b.result.Samples))
	}
}

func TestCheckFindsAWrongAnswer(t *testing.T) {
	counts := corpus.Counts{}
	counts.AddText([]byte("to be or not to be"))
	file := filepath.Join(t.TempDir(), "out")
	for text, right := range map[string]bool{
		"be\t2\nnot\t1\nor\t1\nto\t2\n":      true,
		"\t3\nbe\t2\nnot\t1\nor\t1\nto\t2\n": true, // the empty word of tr
		"be\t2\nnot\t1\nor\t1\nto\t1\n":      false,
		"be\t2\nnot\t2\nto\t2\n":             false,
		"to be\n":                            false,
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := check(file, counts.Answer(), nil); (err == nil) != right {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestScriptMeasuresTheCommandAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(file, []byte(strings.Repeat("to be\n", 1<<18)), 0o644); err != nil {
		t.Fatal(err)
	}
	if cpu, err := script(t.Context(), counting, file); err != nil || cpu <= 0 {
		t.Errorf("%v s, %v", cpu, err)
	}
	if _, err := script(t.Context(), []string{"false"}, file); err == nil {
		t.Error("a script that fails has a cost")
	}
}

func TestExplainedKeepsKindAndRun(t *testing.T) {
	err := explained(fmt.Errorf("wordcount x: %w", core.Errorf(core.Failed, "the answer is wrong").Do("look")))
	e := core.AsError(err)
	if e.Kind != core.Failed || e.Remedy != "look" || !strings.Contains(e.Error(), "wordcount x: the answer is wrong") {
		t.Errorf("%+v", e)
	}
	if explained(nil) != nil {
		t.Error("no error was explained")
	}
}
