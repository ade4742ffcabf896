package pool

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/capstan-run/capstan/core/launch"
)

// TestShelf tells stories: one command a line, after each what is to be done
// and, at the end, what stands on the shelf.
//
//	limits shapes=2 executors=16 depth=1 ttl=60s refill=1s join=30s
//	at 5s              the clock, from now on
//	want SHAPE N       take SHAPE N        joined SET.MEMBER   lost SET.MEMBER
//	up SET             the set is furnished and its start succeeded
//	furnish SET        broken SET (its start failed)
//	tick               empty
func TestShelf(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		story := &story{epoch: time.Unix(0, 0).UTC()}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				story.do(t, &out, strings.Fields(line))
			}
			story.show(&out)
			return out.String()
		})
	})
}

type story struct {
	s     shelf
	epoch time.Time
	now   time.Duration
}

func (st *story) do(t *testing.T, out *strings.Builder, f []string) {
	t.Helper()
	now := st.epoch.Add(st.now)
	var id, n int
	if len(f) > 1 {
		fmt.Sscan(f[1], &id)
	}
	if len(f) > 2 {
		fmt.Sscan(f[2], &n)
	}
	var d deeds
	switch f[0] {
	case "limits":
		l := &st.s.limits
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			switch k {
			case "shapes":
				fmt.Sscan(v, &l.shapes)
			case "executors":
				fmt.Sscan(v, &l.executors)
			case "depth":
				fmt.Sscan(v, &l.depth)
			case "ttl":
				l.ttl = duration(t, v)
			case "refill":
				l.refillAfter = duration(t, v)
			case "join":
				l.joinWithin = duration(t, v)
			}
		}
		return
	case "at":
		st.now = duration(t, f[1])
		return
	case "want":
		d = st.s.want(now, Shape{Image: f[1]}, n)
	case "take":
		set, ok, more := st.s.take(now, Shape{Image: f[1]}, n)
		fmt.Fprintf(out, "took %v %v\n", set.ids(), ok)
		d = more
	case "furnish", "up":
		e := st.s.entry(id)
		set := made(id, 1)
		if e != nil {
			set = made(id, e.size)
		}
		if !st.s.furnished(id, set) {
			fmt.Fprintln(out, "not wanted any more")
		}
		if f[0] == "up" {
			d = st.s.started(now, id, set, nil)
		}
	case "broken":
		d = st.s.started(now, id, Set{}, errors.New("broken"))
	case "joined":
		d = st.s.joined(now, f[1])
	case "lost":
		d = st.s.lost(now, f[1])
	case "tick":
		d = st.s.tick(now)
	case "empty":
		d = st.s.empty()
	default:
		t.Fatalf("unknown command %v", f)
	}
	for _, w := range d.start {
		fmt.Fprintf(out, "start set %d of %d %s\n", w.id, w.size, w.shape.Image)
	}
	for _, w := range d.stop {
		fmt.Fprintf(out, "stop %v and directory %q\n", w.ids(), w.Dir)
	}
}

func (st *story) show(out *strings.Builder) {
	for _, e := range st.s.sets {
		fmt.Fprintf(out, "  set %d: %d, started %v, joined %d, ready %v\n", e.id, e.size, e.started, len(e.joined), e.ready)
	}
	if all := st.s.standing()[""]; all.Wanted > 0 {
		fmt.Fprintf(out, "  ready %d of %d\n", all.Ready, all.Wanted)
	}
	if at := st.s.next(st.epoch.Add(st.now)); !at.IsZero() {
		fmt.Fprintf(out, "  next at %v\n", at.Sub(st.epoch))
	}
}

func made(id, n int) Set {
	set := Set{Dir: fmt.Sprintf("dir%d", id)}
	for i := range n {
		set.Executors = append(set.Executors, launch.Executor{ID: fmt.Sprintf("%d.%d", id, i)})
	}
	return set
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestShapeKey(t *testing.T) {
	a := Shape{Image: "i", ReadOnly: []string{"/b", "/a", "/b"}, Files: map[string]string{"x": "1", "y": "2"}}
	b := Shape{Image: "i", ReadOnly: []string{"/a", "/b"}, Files: map[string]string{"y": "2", "x": "1"}}
	if a.key() != b.key() {
		t.Errorf("the same shape has two keys:\n%s\n%s", a.key(), b.key())
	}
	if a.ReadOnly[0] != "/b" {
		t.Error("key changes the shape")
	}
	if (Shape{Files: map[string]string{}, ReadOnly: []string{}}).key() != (Shape{}).key() {
		t.Error("nil and empty differ")
	}
	b.Binary = "/other"
	if a.key() == b.key() {
		t.Error("two shapes have one key")
	}
}
