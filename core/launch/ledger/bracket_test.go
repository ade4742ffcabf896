package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/ledger"
)

var errMake = errors.New("the engine has a bad day")

// bench is a launcher that only writes down what it was told.
type bench struct {
	did    []string
	make   func(context.Context) error
	remove error
	log    bytes.Buffer
}

func (b *bench) hands() ledger.Hands {
	return ledger.Hands{
		Check: func(e *launch.Executor) error {
			if e.ID == "bad" {
				return core.Errorf(core.Invalid, "bad")
			}
			return nil
		},
		Make: func(ctx context.Context, set []launch.Executor) error {
			b.did = append(b.did, "make")
			if b.make != nil {
				return b.make(ctx)
			}
			return nil
		},
		Remove: func(ctx context.Context, ids []string) error {
			b.did = append(b.did, "remove "+strings.Join(ids, " "))
			return errors.Join(ctx.Err(), b.remove)
		},
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	}
}

func set(ids ...string) []launch.Executor {
	all := make([]launch.Executor, len(ids))
	for i, id := range ids {
		all[i].ID = id
	}
	return all
}

func TestBracket(t *testing.T) {
	for name, c := range map[string]struct {
		set  []launch.Executor
		make error
		want core.ErrKind
		did  []string
		live []string
	}{
		"nothing to start": {},
		"one is refused":   {set: set("a", "bad"), want: core.Invalid},
		"twice in a set":   {set: set("a", "a"), want: core.Conflict},
		"all start":        {set: set("a", "b"), did: []string{"make"}, live: []string{"a", "b"}},
		"one fails":        {set: set("a", "b"), make: errMake, want: core.Internal, did: []string{"make", "remove a b"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := ledger.New()
			defer l.Close()
			b := bench{make: func(context.Context) error { return c.make }}
			if err := l.Start(t.Context(), c.set, b.hands()); core.KindOf(err) != c.want {
				t.Errorf("start: %v, want kind %q", err, c.want)
			}
			live := l.Live()
			slices.Sort(live)
			if !slices.Equal(b.did, c.did) || !slices.Equal(live, c.live) {
				t.Errorf("did %q and %q live, want %q and %q", b.did, live, c.did, c.live)
			}
			b.make = nil
			if err := l.Start(t.Context(), set("a"), b.hands()); c.live == nil && err != nil {
				t.Errorf("an id that was taken back is not free: %v", err)
			}
		})
	}
}

// A clean-up after a start that was given up runs to its end, and what it
// leaves is told.
func TestCleanUpIsNotGivenUp(t *testing.T) {
	l := ledger.New()
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	b := bench{remove: errors.New("a mount is busy")}
	b.make = func(ctx context.Context) error { cancel(); return ctx.Err() }
	if err := l.Start(ctx, set("a"), b.hands()); !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v", err)
	}
	if log := b.log.String(); !strings.Contains(log, "a mount is busy") || strings.Contains(log, "canceled") {
		t.Errorf("log: %s", log)
	}
}

// A Stop takes back the whole set that one of its ids starts in, and removes
// after that; its end is not delivered.
func TestStopInterruptsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ledger.New()
		defer l.Close()
		var b bench
		b.make = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		h := b.hands()
		started := make(chan error, 1)
		go func() { started <- l.Start(t.Context(), set("a", "b"), h) }()
		synctest.Wait()
		end(l, "b")
		if err := l.Stop(t.Context(), []string{"b"}, h); err != nil {
			t.Error(err)
		}
		if err := <-started; !errors.Is(err, context.Canceled) {
			t.Errorf("start: %v", err)
		}
		if want := []string{"make", "remove a b", "remove b"}; !slices.Equal(b.did, want) {
			t.Errorf("did %q, want %q", b.did, want)
		}
		if got := heard(l); len(got) > 0 {
			t.Errorf("heard %v", got)
		}
	})
}
