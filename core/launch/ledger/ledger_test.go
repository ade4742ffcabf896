package ledger_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heard collects what is delivered until nothing more comes.
func heard(l *ledger.Ledger) []string {
	var got []string
	for {
		synctest.Wait() // the pump has offered what there is
		select {
		case x := <-l.Exits():
			got = append(got, x.ID)
		default:
			return got
		}
	}
}

func begin(t *testing.T, l *ledger.Ledger, ids ...string) *ledger.Set {
	t.Helper()
	s, err := l.Begin(ids, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func end(l *ledger.Ledger, ids ...string) {
	for _, id := range ids {
		l.End(launch.Exit{ID: id})
	}
}

func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*testing.T, *ledger.Ledger)
		want []string
	}{
		"once (G1)": {func(t *testing.T, l *ledger.Ledger) {
			l.Started(begin(t, l, "a", "b"))
			end(l, "a", "a", "b", "a")
		}, []string{"a", "b"}},
		"held while starting (G2)": {func(t *testing.T, l *ledger.Ledger) {
			s := begin(t, l, "a", "b")
			end(l, "b", "b")
			if got := heard(l); len(got) > 0 {
				t.Errorf("heard %v before the set had started", got)
			}
			l.Started(s)
			end(l, "b")
		}, []string{"b"}},
		"dropped when abandoned (G2)": {func(t *testing.T, l *ledger.Ledger) {
			s := begin(t, l, "a")
			end(l, "a")
			l.Abandon(s)
			end(l, "a")
		}, nil},
		"not after Forget (G3)": {func(t *testing.T, l *ledger.Ledger) {
			l.Started(begin(t, l, "a", "b"))
			l.Forget("a", "unknown")
			end(l, "a", "b", "unknown")
		}, []string{"b"}},
		"adopted": {func(t *testing.T, l *ledger.Ledger) {
			l.Adopt("a", true)
			l.Adopt("b", false)
			l.Adopt("a", false) // known already
			end(l, "a", "b")
		}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := ledger.New()
				defer l.Close()
				c.do(t, l)
				if got := heard(l); !slices.Equal(got, c.want) {
					t.Errorf("heard %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestBegin(t *testing.T) {
	l := ledger.New()
	s := begin(t, l, "a")
	for _, ids := range [][]string{{"a"}, {"b", "a"}, {"c", "c"}} {
		if _, err := l.Begin(ids, nil); core.KindOf(err) != core.Conflict {
			t.Errorf("Begin(%v): %v", ids, err)
		}
	}
	if live := l.Live(); len(live) > 0 {
		t.Errorf("live while starting: %v", live)
	}
	l.Started(s)
	l.Started(begin(t, l, "b")) // not entered by the refused set
	if live := l.Live(); len(live) != 2 {
		t.Errorf("live: %v", live)
	}
	l.Close()
	l.Close()
	if _, err := l.Begin([]string{"z"}, nil); err == nil {
		t.Error("Begin after Close")
	}
	if _, open := <-l.Exits(); open {
		t.Error("Exits delivers after Close")
	}
}

// Interrupt cancels the set that starts and waits for its end.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ledger.New()
		defer l.Close()
		ctx, cancel := context.WithCancel(t.Context())
		s, err := l.Begin([]string{"a", "b"}, cancel)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- l.Interrupt(t.Context(), "b", "unknown") }()
		synctest.Wait()
		if ctx.Err() == nil {
			t.Error("the start was not cancelled")
		}
		select {
		case <-done:
			t.Error("Interrupt did not wait")
		default:
		}
		l.Abandon(s)
		if err := <-done; err != nil {
			t.Error(err)
		}
		l.Started(begin(t, l, "c"))
		if err := l.Interrupt(t.Context(), "c"); err != nil { // started: nothing to wait for
			t.Error(err)
		}
	})
}

// Nobody reads Exits: End does not block (G4).
func TestUnreadExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ledger.New()
		for i := range 1000 {
			id := string(rune('a'+i%26)) + string(rune('0'+i/26))
			l.Started(begin(t, l, id))
			end(l, id)
		}
		l.Close()
	})
}
