package storetest

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/xxh3"
)

// Chaos is a store on which faults fall by chance. What falls on the n-th
// request of a kind to a path depends on Seed, the kind, the path and n only,
// not on what happens beside it: a seed tells a run.
type Chaos struct {
	Seed uint64
	Rate float64 // share of the requests that meet a fault
	// Met is told of each fault, from any goroutine. It may be nil.
	Met func(name string, r *http.Request)

	lists Lists

	mu     sync.Mutex
	seen   map[string]uint64
	counts map[string]int
}

// mishap is a fault that can fall on some requests.
type mishap struct {
	name  string
	falls func(*http.Request) bool
	make  func(c *Chaos, rnd *rand.Rand) Fault
}

func every(*http.Request) bool    { return true }
func writes(r *http.Request) bool { return r.Method == http.MethodPut || r.Method == http.MethodPost }
func puts(r *http.Request) bool   { return r.Method == http.MethodPut && r.ContentLength > 0 }
func lists(r *http.Request) bool  { return r.URL.Query().Has("list-type") }
func reads(r *http.Request) bool  { return r.Method == http.MethodGet && r.URL.RawQuery == "" }
func simple(f Fault) func(*Chaos, *rand.Rand) Fault {
	return func(*Chaos, *rand.Rand) Fault { return f }
}
func placed(f func(float64) Fault) func(*Chaos, *rand.Rand) Fault {
	return func(_ *Chaos, rnd *rand.Rand) Fault { return f(rnd.Float64()) }
}

var mishaps = []mishap{
	{"latency", every, func(_ *Chaos, rnd *rand.Rand) Fault { return Latency(time.Duration(rnd.IntN(20)) * time.Millisecond) }},
	{"slow down", every, simple(SlowDown())},
	{"reset", every, simple(Reset())},
	{"lost answer", every, simple(LostAnswer())},
	{"truncation", reads, placed(Truncate)},
	{"bit flip, down", reads, placed(FlipBit)},
	{"bit flip, up", puts, placed(FlipBodyBit)},
	{"cut body", puts, placed(CutBody)},
	{"stale list", lists, func(c *Chaos, _ *rand.Rand) Fault { return c.lists.StaleList() }},
	{"disk full", writes, simple(DiskFull())},
}

// Decorate puts the chaos before next.
func (c *Chaos) Decorate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, f := c.next(r)
		if f == nil && lists(r) {
			f = c.lists.Remember()
		}
		if f == nil {
			next.ServeHTTP(w, r)
			return
		}
		if m != "" && c.Met != nil {
			c.Met(m, r)
		}
		f(next).ServeHTTP(w, r)
	})
}

// next draws what falls on r: a mishap's name and fault, or nothing.
func (c *Chaos) next(r *http.Request) (string, Fault) {
	kind := r.Method + " " + r.URL.Path
	if lists(r) {
		kind += "?" + r.URL.Query().Get("prefix")
	}
	if part := r.URL.Query().Get("partNumber"); part != "" {
		kind += "?" + part
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen, c.counts = map[string]uint64{}, map[string]int{}
	}
	c.seen[kind]++
	rnd := rand.New(rand.NewPCG(c.Seed, xxh3.HashString(kind)+c.seen[kind]))
	if rnd.Float64() >= c.Rate {
		return "", nil
	}
	var fit []mishap
	for _, m := range mishaps {
		if m.falls(r) {
			fit = append(fit, m)
		}
	}
	m := fit[rnd.IntN(len(fit))]
	c.counts[m.name]++
	return m.name, m.make(c, rnd)
}

// Counts returns how often each fault fell.
func (c *Chaos) Counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// Kinds lists the faults there are.
func Kinds() []string {
	var names []string
	for _, m := range mishaps {
		names = append(names, m.name)
	}
	return names
}

// ListedPrefix is the path prefix ("bucket/…") that a listing asks for.
func ListedPrefix(r *http.Request) string {
	return strings.Trim(r.URL.Path, "/") + "/" + r.URL.Query().Get("prefix")
}
