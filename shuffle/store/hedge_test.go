package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errBroken = errors.New("broken")

// after is a request that takes d and then returns err.
func after(d time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// practised is a hedger that has seen requests of a second.
func practised() *hedger {
	h := &hedger{share: 0.05}
	for range 2 * hedgeSample {
		h.observe(1, time.Second)
	}
	return h
}

func TestHedge(t *testing.T) {
	const patience = 1500 * time.Millisecond
	for _, c := range []struct {
		name          string
		first, second func(context.Context) error
		overtaken     bool
		err           error
		took          time.Duration
	}{
		{"usual", after(time.Second, nil), after(0, errBroken), false, nil, time.Second},
		{"usual failure", after(time.Second, errBroken), after(0, nil), false, errBroken, time.Second},
		{"stuck", after(time.Hour, nil), after(time.Second, nil), true, nil, patience + time.Second},
		{"slow but first", after(2*time.Second, nil), after(time.Hour, nil), false, nil, 2 * time.Second},
		{"slow, no second", after(3*time.Second, nil), after(0, errNoHedge), false, nil, 3 * time.Second},
		{"slow, second fails", after(3*time.Second, nil), after(time.Second, errBroken), false, nil, 3 * time.Second},
		{"fails late, second does not", after(2*time.Second, errBroken), after(time.Second, nil), true, nil, patience + time.Second},
		{"both fail", after(2*time.Second, errBroken), after(time.Minute, errNoHedge), false, errBroken, patience + time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, start := practised(), time.Now()
				overtaken, err := h.race(t.Context(), 1, c.first, c.second)
				if overtaken != c.overtaken || !errors.Is(err, c.err) || time.Since(start) != c.took {
					t.Errorf("overtaken %v, %v after %v; want %v, %v, %v", overtaken, err, time.Since(start), c.overtaken, c.err, c.took)
				}
			})
		})
	}
}

func TestHedgeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := practised().race(ctx, 1, after(time.Hour, nil), after(time.Hour, nil))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// Few are sent twice, however many are slow; and none before the usual time of
// a size is known.
func TestHedgesAreFew(t *testing.T) {
	h := &hedger{share: 0.05}
	taken := 0
	for i := range 10_000 {
		if h.patience(1) == 0 != (i < hedgeSample) {
			t.Fatalf("patience %v after %d requests", h.patience(1), i)
		}
		h.observe(1, time.Duration(i)*time.Millisecond)
		if h.take() {
			taken++
		}
	}
	if taken < 490 || taken > 500+hedgeSavings {
		t.Errorf("%d of 10000 were hedged", taken)
	}
	if h.patience(16<<20) != 0 {
		t.Error("small requests say nothing about large ones")
	}
	if h := (&hedger{share: -1}); h.take() {
		t.Error("hedges are off")
	}
}
