package task

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

func TestMessagesCross(t *testing.T) {
	for _, up := range []Up{
		{Done: &Done{Try: 3, Code: 137, Signal: 9, Wall: time.Second, MaxRSS: 1 << 20, Tail: "last\nwords",
			Streams: []string{"stdout"}}},
		{Done: &Done{Try: 1, Fault: core.Errorf(core.Invalid, "no such program").Do("ship it")}},
		{Holds: &Holds{Running: 2}},
		{Holds: &Holds{}},
	} {
		b, err := Encode(&up)
		if err != nil {
			t.Fatal(err)
		}
		var back Up
		if err := Decode(b, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(up, back); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, s := range []string{"", "nonsense", `{"done": 3}`, `{"done": {"tail": "` + strings.Repeat("x", maxMessage) + `"}}`} {
		if err := Decode([]byte(s), new(Up)); err == nil {
			t.Errorf("%.20q is taken", s)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"done":{"try":1,"code":2}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var up Up
		if Decode(b, &up) != nil {
			return
		}
		if _, err := Encode(&up); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
