package queue

import (
	"fmt"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// crowd is a tree of fair queues in which so many claims wait, of so many
// classes in each queue.
func crowd(b testing.TB, queues, claims, classes int, options ...func(*Config)) *Tree {
	b.Helper()
	var cfg Config
	for i := range queues {
		cfg.Queues = append(cfg.Queues, Queue{Name: fmt.Sprintf("group%d/queue%d", i%10, i), Weight: int64(1 + i%3)})
	}
	for _, o := range options {
		o(&cfg)
	}
	t, err := New(cfg, &core.Dimensions{})
	if err != nil {
		b.Fatal(err)
	}
	t.Total(core.Vector{1_000_000, 4 << 40})
	for i := range claims {
		c := crowdClaim(i, queues, classes)
		if cfg.Queues[0].Order == "fair" {
			c.User = fmt.Sprint("user", i%997)
		}
		if err := t.Add(c); err != nil {
			b.Fatal(err)
		}
	}
	return t
}

func crowdClaim(i, queues, classes int) Claim {
	q, class := i%queues, i/queues%classes
	size := int64(1 + class%4)
	return Claim{
		ID: uint64(i), Queue: fmt.Sprintf("group%d/queue%d", q%10, q), Arrival: uint64(i), Class: uint64(class),
		Need: core.Vector{size * 1000, size << 32},
	}
}

// round is a walk that grants so many and skips the rest.
func round(t *Tree, grants int) []Claim {
	granted := make([]Claim, 0, grants)
	w := t.Walk(1)
	for {
		c, ok := w.Next()
		if !ok {
			return granted
		}
		if len(granted) < grants {
			w.Granted()
			granted = append(granted, c)
		} else {
			w.Skip()
		}
	}
}

func benchmarkRound(b *testing.B, queues, claims, classes, grants int) {
	benchmarkTree(b, crowd(b, queues, claims, classes), grants)
}

func benchmarkTree(b *testing.B, t *Tree, grants int) {
	round(t, 0)
	for b.Loop() {
		granted := round(t, grants)
		b.StopTimer()
		if len(granted) != grants {
			b.Fatal(len(granted))
		}
		for _, c := range granted {
			t.Refund(c)
			if err := t.Add(c); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}

// BenchmarkRound is a walk over 320,000 claims in 10 queues of which 8,700 are
// granted: of 4 shapes, and all different.
func BenchmarkRound(b *testing.B) {
	b.Run("4shapes", func(b *testing.B) { benchmarkRound(b, 10, 320_000, 4, 8700) })
	b.Run("distinct", func(b *testing.B) { benchmarkRound(b, 10, 320_000, 320_000, 8700) })
	// All past the guard; and of many users of fair queues with a limit.
	b.Run("aged", func(b *testing.B) {
		benchmarkTree(b, crowd(b, 10, 320_000, 320_000, func(c *Config) { c.Guard = 1 }), 8700)
	})
	b.Run("users", func(b *testing.B) {
		benchmarkTree(b, crowd(b, 10, 320_000, 320_000, func(c *Config) {
			for i := range c.Queues {
				c.Queues[i].Order, c.Queues[i].Limit = "fair", Amounts{"cpu": 1 << 40}
			}
		}), 8700)
	})
}

// BenchmarkRoundScale shows the growth with the classes that wait and with the
// queues; 1,000 are granted.
func BenchmarkRoundScale(b *testing.B) {
	for _, claims := range []int{10_000, 40_000, 160_000, 640_000} {
		b.Run(fmt.Sprintf("classes=%d", claims), func(b *testing.B) { benchmarkRound(b, 10, claims, claims, 1000) })
	}
	for _, claims := range []int{10_000, 40_000, 160_000, 640_000} {
		b.Run(fmt.Sprintf("claims=%d", claims), func(b *testing.B) { benchmarkRound(b, 10, claims, 4, 1000) })
	}
	for _, queues := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("queues=%d", queues), func(b *testing.B) { benchmarkRound(b, queues, 160_000, 4, 1000) })
	}
}

// BenchmarkSingle is one gang at a time through an idle tree: Add, Walk,
// Granted, Refund.
func BenchmarkSingle(b *testing.B) {
	for _, queues := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("queues=%d", queues), func(b *testing.B) {
			t := crowd(b, queues, 0, 1)
			claims := make([]Claim, 4096)
			for i := range claims {
				claims[i] = crowdClaim(i, queues, 4)
			}
			for i := 0; b.Loop(); i++ {
				c := &claims[i%len(claims)]
				if err := t.Add(*c); err != nil {
					b.Fatal(err)
				}
				w := t.Walk(1)
				if _, ok := w.Next(); !ok {
					b.Fatal("nothing to run")
				}
				w.Granted()
				w.End()
				t.Refund(*c)
			}
		})
	}
}

func BenchmarkClone(b *testing.B) {
	t := crowd(b, 10, 320_000, 320_000)
	for b.Loop() {
		t.Clone()
	}
}

// BenchmarkEach tells of 320,000 claims in order.
func BenchmarkEach(b *testing.B) {
	for _, classes := range []int{4, 320_000} {
		b.Run(fmt.Sprintf("classes=%d", classes), func(b *testing.B) {
			t := crowd(b, 10, 320_000, classes)
			for b.Loop() {
				n := 0
				t.Each(1, func(uint64) bool { n++; return true })
				if n != 320_000 {
					b.Fatal(n)
				}
			}
		})
	}
}
