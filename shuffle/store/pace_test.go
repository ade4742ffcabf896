package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// limited is a store that answers at most rate requests a second, in slots of
// a tenth.
type limited struct {
	rate int

	mu          sync.Mutex
	slot, used  int
	ok, refused int
}

func (s *limited) request() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := int(time.Now().UnixMilli() / 100); now != s.slot {
		s.slot, s.used = now, 0
	}
	if s.used++; s.used > s.rate/10 {
		s.refused++
		return false
	}
	s.ok++
	return true
}

// counts returns the answers since it was last called.
func (s *limited) counts() (ok, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok, refused = s.ok, s.refused
	s.ok, s.refused = 0, 0
	return ok, refused
}

func TestPaceFindsTheStoresRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &limited{rate: 200}
		p := &pacer{refused: func() {}}
		// 100 clients, each as fast as it may.
		for range 100 {
			go func() {
				for start := time.Now(); time.Since(start) < time.Minute; {
					p.wait(t.Context(), "b/x/")
					time.Sleep(10 * time.Millisecond)
					if !s.request() {
						p.slowed("b/x/")
					}
				}
			}()
		}
		time.Sleep(5 * time.Second)
		s.counts()
		time.Sleep(50 * time.Second)
		ok, refused := s.counts()
		if ok < 50*200*5/10 {
			t.Errorf("%d requests in 50 s: less than half of the store's rate is used", ok)
		}
		if refused*5 > ok {
			t.Errorf("%d refused for %d answered", refused, ok)
		}
		time.Sleep(10 * time.Second)
	})
}

func TestPaceIsPerPrefixAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		p := &pacer{refused: func() { refused++ }}
		took := func(prefix string, n int) time.Duration {
			start := time.Now()
			for range n {
				if err := p.wait(t.Context(), prefix); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(start)
		}
		if d := took("b/x/", 100); d != 0 {
			t.Errorf("unlimited, 100 requests took %v", d)
		}
		for range 3 {
			p.slowed("b/x/") // one burst
		}
		if d := took("b/x/", 100); d < 200*time.Millisecond || d > 2*time.Second {
			t.Errorf("slowed to 250 a second, 100 requests took %v", d)
		}
		if d := took("b/y/", 100); d != 0 || !p.slow("b/x/") || p.slow("b/y/") {
			t.Errorf("the neighbour's 100 requests took %v", d)
		}
		time.Sleep(time.Minute)
		if d := took("b/x/", 1000); d != 0 || p.slow("b/x/") {
			t.Errorf("a minute later, 1000 requests took %v", d)
		}
		if refused != 3 {
			t.Errorf("%d refusals counted", refused)
		}
	})
}

func TestPaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{refused: func() {}}
		p.slowed("b/")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for range 10 {
			if err := p.wait(ctx, "b/"); err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				return
			}
		}
		t.Error("nothing was held back")
	})
}

func TestPaceForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{refused: func() {}}
		p.slowed("b/slow/")
		for i := range 10 * lanes {
			p.wait(t.Context(), fmt.Sprintf("b/%d/", i))
		}
		if len(p.lanes) > lanes || !p.slow("b/slow/") {
			t.Errorf("%d lanes are kept, slow %v", len(p.lanes), p.slow("b/slow/"))
		}
	})
}
