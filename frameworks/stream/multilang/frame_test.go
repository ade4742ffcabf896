package multilang

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

func TestFrames(t *testing.T) {
	f := newFrames(strings.NewReader("{\"a\":\n1}\nend\n\nsync\nend\r\nsync\n[1]\nend\n{\"half\""))
	for _, want := range []string{"{\"a\":\n1}", "sync", "sync", "[1]"} {
		got, err := f.next()
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if _, err := f.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("in the middle of a message: %v", err)
	}
	if _, err := newFrames(strings.NewReader("")).next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if _, err := newFrames(strings.NewReader(strings.Repeat("x", maxMessage+2))).next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a message without end: %v", err)
	}
}

// Every version's words are understood.
func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		`{"pid": 12}`:                `pid 12`,
		`12`:                         `pid 12`,
		`sync`:                       `sync`,
		`{"command":"ack","id":7}`:   `ack 7`,
		`{"command":"ack","id":"7"}`: `ack 7`,
		`{"command":"emit","anchors":"3","tuple":[1]}`:                        `emit [3] true`,
		`{"command":"emit","anchors":[3,"4"],"tuple":[1],"task":0}`:           `emit [3 4] true`,
		`{"command":"emit","anchors":null,"tuple":[1],"need_task_ids":false}`: `emit [] false`,
		`{"command":"emit","tuple":[1],"task":9}`:                             `emit [] false`,
	} {
		m, err := parse([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		got := "pid " + m.Pid.String()
		switch m.Command {
		case "emit":
			anchors, err := m.anchors()
			if err != nil {
				t.Error(err)
			}
			got = fmt.Sprint("emit ", anchors, " ", m.wantsTasks())
		case "ack":
			got = "ack " + idOf(m.ID)
		case "sync":
			got = "sync"
		}
		if got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
	if _, err := parse([]byte("Traceback (most recent call last):")); err == nil || !strings.Contains(err.Error(), "goes to stderr") {
		t.Error(err)
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`"a b"`: `"a b"`, `"\u0061"`: `"a"`, ` 12 `: `12`, `{"b":1, "a":[1, 2]}`: `{"a":[1,2],"b":1}`, `"<"`: `"<"`, `12345678901234567890`: `12345678901234567890`, `null`: `null`,
	} {
		if got := canonical(json.RawMessage(in)); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte("{\"command\":\"emit\",\"anchors\":[1],\"tuple\":[\"\\u0061 b\"]}\nend\nsync\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for frames := newFrames(bytes.NewReader(b)); ; {
			one, err := frames.next()
			if err != nil {
				return
			}
			m, err := parse(one)
			if err != nil {
				continue
			}
			_, _ = m.anchors()
			for _, v := range m.Tuple {
				if once := canonical(v); canonical(json.RawMessage(once)) != once {
					t.Errorf("%s has two forms: %s", v, once)
				}
			}
		}
	})
}

// small is a topology around a process with a reader by fields, and one by
// shuffle.
func small() operator.Make {
	word := []topology.Field{{Name: "word", Type: topology.JSON}}
	top := &topology.Topology{Name: "small", Groups: 16, Config: map[string]any{"a": 1.0}, Components: []topology.Component{
		{ID: "in", Role: topology.Source, Use: "words", Tasks: 2},
		{ID: "p", Role: topology.Operator, Exec: []string{"x"}, Tasks: 1, Config: map[string]any{"b": "c"},
			Outputs: []topology.Output{{Stream: "default", Fields: word}, {Stream: "late", Fields: word}}},
		{ID: "keyed", Role: topology.Sink, Use: "log", Tasks: 3}, {ID: "any", Role: topology.Sink, Use: "log", Tasks: 2},
	}, Edges: []topology.Edge{
		{From: "in", Stream: "default", To: "p", Grouping: topology.Grouping{Kind: topology.Shuffle}},
		{From: "p", Stream: "default", To: "keyed", Grouping: topology.Grouping{Kind: topology.ByFields, Fields: []string{"word"}}},
		{From: "p", Stream: "late", To: "any", Grouping: topology.Grouping{Kind: topology.LocalOrShuffle}},
	}}
	return operator.Make{Topology: top, Task: top.Tasks()[2], Groups: 16,
		In: []topology.Input{{From: "in", Stream: "default", Fields: word, Grouping: topology.Grouping{Kind: topology.Shuffle}}}}
}

func TestHandshake(t *testing.T) {
	const want = `{"conf":{"a":1,"b":"c","topology.name":"small"},"pidDir":"/pids","context":{` +
		`"task->component":{"1":"in","2":"in","3":"p","4":"keyed","5":"keyed","6":"keyed","7":"any","8":"any"},"taskid":3,"componentid":"p",` +
		`"streams":["default","late"],"stream->outputfields":{"default":["word"],"late":["word"]},` +
		`"stream->target->grouping":{"default":{"keyed":{"type":"FIELDS","fields":["word"]}},"late":{"any":{"type":"LOCAL_OR_SHUFFLE"}}},` +
		`"source->stream->grouping":{"in":{"default":{"type":"SHUFFLE"}}},"source->stream->fields":{"in":{"default":["word"]}}}}` + "\nend\n"
	if diff := cmp.Diff(want, string(hello(small(), "/pids"))); diff != "" {
		t.Error(diff)
	}
}

// Whoever emits is told the tasks that its tuples go to.
func TestTargets(t *testing.T) {
	targets := newTargets(small())
	if targets.ahead >= 0 {
		t.Error("ids are written ahead that depend on values")
	}
	for pin, want := range map[int]string{0: "[7]", 1: "[8]", 2: "[7]"} {
		if ids, err := targets.of(1, pin, nil); err != nil || fmt.Sprint(ids) != want {
			t.Errorf("pin %d: %v, %v, want %s", pin, ids, err, want)
		}
	}
	seen := map[int]bool{}
	for n := range 50 {
		ids, err := targets.of(0, n, tuple{json.RawMessage(fmt.Sprintf(`"w%d"`, n))})
		if err != nil || len(ids) != 1 || ids[0] < 4 || ids[0] > 6 {
			t.Fatalf("%v, %v", ids, err)
		}
		seen[ids[0]] = true
		if again, _ := targets.of(0, n+1, tuple{json.RawMessage(fmt.Sprintf(` "\u0077%d"`, n))}); again[0] != ids[0] {
			t.Errorf("w%d goes to %d and %d", n, ids[0], again[0])
		}
	}
	if len(seen) != 3 {
		t.Errorf("50 words go to %v", seen)
	}
	m := small()
	m.Topology.Edges[1].Grouping = topology.Grouping{Kind: topology.All}
	if newTargets(m).ahead >= 0 {
		t.Error("two streams may be meant")
	}
	m.Topology.Components[1].Outputs = m.Topology.Components[1].Outputs[:1]
	if newTargets(m).ahead != 0 {
		t.Error("the ids of all are known")
	}
}
