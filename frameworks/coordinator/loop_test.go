package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

// event and effect of the tests' machine are words: "save", "go 1s x".
type (
	event  any
	effect string
)

// machine answers an event with the effects that the test gave for it, and keeps
// what it was told.
type machine struct {
	answers map[string][]effect
	told    []string
	last    int64
}

func (m *machine) Step(now int64, e event) []effect {
	m.last = now
	m.told = append(m.told, fmt.Sprint(e))
	return m.answers[fmt.Sprint(e)]
}

func (m *machine) Progress() core.Progress { return core.Progress{Note: strings.Join(m.told, " ")} }

type bytesOf string

func (b bytesOf) Encode() ([]byte, error) { return []byte(b), nil }

// host keeps what it was asked.
type host struct {
	events chan core.Event
	asked  []string
	shown  core.Progress
	err    error
}

func (h *host) Events() <-chan core.Event              { return h.events }
func (h *host) WantGang(a core.GangAsk) error          { return h.ask("want " + a.Name) }
func (h *host) ReleaseGang(name string) error          { return h.ask("release " + name) }
func (h *host) EndGang(string, bool) error             { return nil }
func (h *host) Report(p core.Progress)                 { h.shown = p }
func (h *host) Answer(core.Answer) error               { return nil }
func (h *host) Save(_ context.Context, b []byte) error { return h.ask("save " + string(b)) }
func (h *host) Send(gang string, rank int, b []byte) error {
	return h.ask(fmt.Sprintf("send %s.%d %s", gang, rank, b))
}

func (h *host) ask(what string) error {
	h.asked = append(h.asked, what)
	return h.err
}

// rig is a loop under test. Its host's events are words as well: the reason of a
// core.CancelAsked, or the data of a core.Message.
type rig struct {
	machine
	host
	open    func(context.Context) error
	timeout time.Duration
	stop    context.CancelFunc
}

func newRig(answers map[string][]effect) *rig {
	return &rig{machine: machine{answers: answers}, host: host{events: make(chan core.Event, 100)}, timeout: time.Hour}
}

var errLate = errors.New("the test's time is over")

func (r *rig) run(t *testing.T) error {
	ctx, cancel := context.WithTimeoutCause(t.Context(), r.timeout, errLate)
	defer cancel()
	return Run(ctx, &r.host, Config[event, effect]{
		Open: func(ctx context.Context) (Machine[event, effect], error) {
			if r.open != nil {
				if err := r.open(ctx); err != nil {
					return nil, err
				}
			}
			return &r.machine, nil
		},
		Begin: "begin", Tick: nil, Hear: hear, Do: r.do,
	})
}

func hear(_ *Loop[event, effect], e core.Event) (event, bool) {
	switch e := e.(type) {
	case core.Message:
		return string(e.Data), len(e.Data) > 0
	case core.CancelAsked:
		return "cancel " + e.Reason, true
	}
	return nil, false
}

func (r *rig) do(ctx context.Context, l *Loop[event, effect], f effect) error {
	what, rest, _ := strings.Cut(string(f), " ")
	switch what {
	case "save":
		return l.Save(ctx, bytesOf(rest), "saved "+rest)
	case "send":
		return l.Send("main", 0, rest, func(v any) ([]byte, error) { return fmt.Append(nil, v), nil })
	case "renew":
		return l.Renew(core.GangAsk{Name: "main"})
	case "go":
		took, name, _ := strings.Cut(rest, " ")
		d, err := time.ParseDuration(took)
		if err != nil {
			return err
		}
		r.stop = l.Go(ctx, func(ctx context.Context) event {
			select {
			case <-time.After(d):
				return "did " + name
			case <-ctx.Done():
				return "stopped " + name
			}
		})
	case "stop":
		r.stop()
	case "end":
		if rest != "" {
			l.End(errors.New(rest))
			return nil
		}
		l.End(nil)
	}
	return nil
}

func message(text string) core.Event { return core.Message{Data: []byte(text)} }

// TestLoop: what a machine is told, and what the host is asked, in order.
func TestLoop(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers map[string][]effect
		say     []core.Event
		told    string // by |
		asked   string
		err     string
	}{
		{"ends", map[string][]effect{"begin": {"end"}}, nil, "begin", "", ""},
		{"ends with an error", map[string][]effect{"begin": {"end no"}}, nil, "begin", "", "no"},
		{"saved comes before what waits (L2)", map[string][]effect{"a": {"save x", "send y"}, "b": {"end"}},
			[]core.Event{message("a"), message("b")}, "begin|a|saved x|b", "save x|send main.0 y", ""},
		{"two saves", map[string][]effect{"begin": {"save x", "save y"}, "saved x": {"save z"}, "saved z": {"end"}}, nil,
			"begin|saved x|saved y|saved z", "save x|save y|save z", ""},
		{"nothing after the end", map[string][]effect{"begin": {"save x", "end", "send y"}}, nil, "begin", "save x", ""},
		{"one piece of work after the other (L5)", map[string][]effect{"begin": {"go 3s x", "go 1s y"}, "did y": {"end"}}, nil,
			"begin|did x|did y", "", ""},
		{"work that is stopped answers", map[string][]effect{"begin": {"go 3s x", "stop"}, "stopped x": {"end"}}, nil, "begin|stopped x", "", ""},
		{"work that waits is stopped, and not the one before it", map[string][]effect{"begin": {"go 3s x", "go 3s y", "stop"}, "stopped y": {"end"}}, nil,
			"begin|did x|stopped y", "", ""},
		{"renews the gang", map[string][]effect{"begin": {"renew", "end"}}, nil, "begin", "release main|want main", ""},
		{"what is nothing to the machine", map[string][]effect{"a": {"end"}}, []core.Event{message(""), core.GangRefused{}, message("a")}, "begin|a", "", ""},
		{"cancel", map[string][]effect{"cancel by root": {"end cancelled"}}, []core.Event{message("a"), core.CancelAsked{Reason: "by root"}},
			"begin|a|cancel by root", "", "cancelled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(c.answers)
				time.AfterFunc(time.Millisecond, func() {
					for _, e := range c.say {
						r.host.events <- e
					}
				})
				err := r.run(t)
				if text := fmt.Sprint(err); c.err == "" && err != nil || c.err != "" && text != c.err {
					t.Errorf("ended with %v, want %q", err, c.err)
				}
				if got := strings.Join(r.told, "|"); got != c.told {
					t.Errorf("told %s\nwant %s", got, c.told)
				}
				if got := strings.Join(r.asked, "|"); got != c.asked {
					t.Errorf("asked %s\nwant %s", got, c.asked)
				}
				if got := r.shown.Note; got != strings.ReplaceAll(c.told, "|", " ") {
					t.Errorf("the progress shown last is of %q", got)
				}
			})
		})
	}
}

// TestFailedEffect: nothing follows from what was not saved (law L4).
func TestFailedEffect(t *testing.T) {
	for _, f := range []effect{"save x", "send x", "renew"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(map[string][]effect{"begin": {f, "send y"}})
			r.err = errors.New("the host is gone")
			if err := r.run(t); !errors.Is(err, r.err) {
				t.Errorf("%s: %v", f, err)
			}
			if len(r.asked) != 1 || !slices.Equal(r.told, []string{"begin"}) {
				t.Errorf("%s: asked %q, told %q", f, r.asked, r.told)
			}
		})
	}
}

// TestOpening: what comes while the machine is opened waits, and a cancel ends
// what opens it (law L3).
func TestOpening(t *testing.T) {
	bad := errors.New("no such input")
	for _, c := range []struct {
		name string
		open func(context.Context) error
		told string
		kind core.ErrKind
	}{
		{"in time", func(context.Context) error { time.Sleep(time.Second); return nil }, "begin|a|b|late", ""},
		{"fails", func(context.Context) error {
			time.Sleep(time.Second)
			return core.Errorf(core.NotFound, "no such input")
		}, "", core.NotFound},
		{"is cancelled", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "", core.Cancelled},
		{"is cancelled and fails", func(ctx context.Context) error { <-ctx.Done(); return bad }, "", core.Cancelled},
		{"is cancelled too late", func(ctx context.Context) error { <-ctx.Done(); return nil }, "begin|a|b|cancel by root", core.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(map[string][]effect{"cancel by root": {"end too late"}, "late": {"end"}})
				r.open = c.open
				r.host.events <- message("a")
				r.host.events <- message("b")
				time.AfterFunc(3*time.Second, func() { r.host.events <- message("late") })
				if strings.Contains(c.name, "cancelled") {
					time.AfterFunc(time.Second, func() { r.host.events <- core.CancelAsked{Reason: "by root"} })
				}
				err := r.run(t)
				want := c.kind
				if want == core.Failed { // a plain error of the machine's
					want = core.Internal
				}
				if core.KindOf(err) != want {
					t.Errorf("ended with %v, want %q", err, want)
				}
				if got := strings.Join(r.told, "|"); got != c.told {
					t.Errorf("told %s, want %s", got, c.told)
				}
			})
		})
	}
}

// TestLeaves: whatever ends the loop, the work under way is told and waited for
// (law L6): the bubble would fail on a goroutine that stays.
func TestLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*rig)
		want func(error) bool
	}{
		"its context": {func(r *rig) { r.timeout = time.Second }, func(err error) bool { return errors.Is(err, errLate) }},
		"the host":    {func(r *rig) { time.AfterFunc(time.Second, func() { close(r.host.events) }) }, func(err error) bool { return core.KindOf(err) == core.Internal }},
		"the machine": {func(r *rig) { r.answers["begin"] = append(r.answers["begin"], "end") }, func(err error) bool { return err == nil }},
		"while it is opened": {func(r *rig) {
			r.timeout, r.open = time.Second, func(ctx context.Context) error { <-ctx.Done(); return nil }
		}, func(err error) bool { return errors.Is(err, errLate) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(map[string][]effect{"begin": {"go 24h x", "go 24h y"}})
				c.end(r)
				if err := r.run(t); !c.want(err) {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// TestTime: ticks come by the machine's time, which begins with the loop.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		var moment int64
		until := time.Now().Add(90 * time.Second)
		r.host.events <- message("x")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Millisecond)
		defer cancel()
		err := Run(ctx, &r.host, Config[event, effect]{
			Open:  func(context.Context) (Machine[event, effect], error) { return &r.machine, nil },
			Begin: "begin", Tick: "tick", Do: r.do,
			Hear: func(l *Loop[event, effect], _ core.Event) (event, bool) {
				moment = l.At(until)
				return nil, false
			},
		})
		if err == nil {
			t.Error("it ended by itself")
		}
		if d := cmp.Diff([]string{"begin", "tick", "tick", "tick", "tick"}, r.told); d != "" || r.last != 1000 {
			t.Errorf("last at %d ms: %s", r.last, d)
		}
		if moment != 90_000 {
			t.Errorf("90 s later is %d", moment)
		}
	})
}

func TestState(t *testing.T) {
	type state struct{ N int }
	b, err := Encode(3, &state{7})
	if err != nil {
		t.Fatal(err)
	}
	var got state
	if err := Decode(3, b, &got); err != nil || got.N != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "another version": append([]byte{2}, b[1:]...), "half of it": b[:len(b)/2]} {
		if err := Decode(3, bad, &got); core.KindOf(err) != core.Internal || core.AsError(err).Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Encode(3, func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

// FuzzDecode: whatever was saved is refused or read, without a panic.
func FuzzDecode(f *testing.F) {
	type state struct {
		N    int
		List []string
		M    map[string]int
	}
	b, err := Encode(1, &state{7, []string{"x"}, map[string]int{"a": 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(_ *testing.T, b []byte) { _ = Decode(1, b, new(state)) })
}

// A first generation asks for the gang, then makes a state and saves it; one that
// goes on asks for the gang unless all that needs it is over.
func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name, saved, want string
		asked             []string
	}{
		{"first", "", "fresh", []string{"want main", "save fresh"}},
		{"goes on", "half", "half", []string{"want main"}},
		{"over", "over", "over", nil},
	} {
		h := new(host)
		o := Opening[bytesOf]{
			Gang:   core.GangAsk{Name: "main"},
			Decode: func(b []byte) (bytesOf, error) { return bytesOf(b), nil },
			Over:   func(s bytesOf) bool { return s == "over" },
			First:  func(context.Context) (bytesOf, error) { return "fresh", nil },
		}
		if c.saved != "" {
			o.Saved = []byte(c.saved)
		}
		got, err := Open(t.Context(), h, o)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
		if diff := cmp.Diff(c.asked, h.asked); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	h := &host{err: errors.New("no")}
	o := Opening[bytesOf]{First: func(context.Context) (bytesOf, error) { return "", errors.New("listed without a gang") }}
	if _, err := Open(t.Context(), h, o); !errors.Is(err, h.err) {
		t.Errorf("a gang that is refused: %v", err)
	}
}
