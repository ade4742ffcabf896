package store

import (
	"net/http"
	"sync/atomic"
)

// Stats count what a client has sent, every try of every call.
type Stats struct {
	Gets, Puts, Heads, Posts, Deletes int64

	Retries   int64 // tries after a first one that failed
	Hedges    int64 // second GETs for slow ones
	HedgesWon int64 // of them, those that answered first
	SlowDowns int64 // requests that the store refused for their rate
}

// Requests is the number of all requests.
func (s Stats) Requests() int64 { return s.Gets + s.Puts + s.Heads + s.Posts + s.Deletes }

// Sub returns what was added since earlier.
func (s Stats) Sub(earlier Stats) Stats {
	return Stats{
		s.Gets - earlier.Gets, s.Puts - earlier.Puts, s.Heads - earlier.Heads, s.Posts - earlier.Posts, s.Deletes - earlier.Deletes,
		s.Retries - earlier.Retries, s.Hedges - earlier.Hedges, s.HedgesWon - earlier.HedgesWon, s.SlowDowns - earlier.SlowDowns,
	}
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	n := &c.counts
	return Stats{
		Gets: n.gets.Load(), Puts: n.puts.Load(), Heads: n.heads.Load(), Posts: n.posts.Load(), Deletes: n.deletes.Load(),
		Retries: n.retries.Load(), Hedges: c.hedges.sent.Load(), HedgesWon: c.hedges.won.Load(), SlowDowns: n.slowDowns.Load(),
	}
}

// counts are a client's; it is the transport's outermost layer.
type counts struct {
	next http.RoundTripper

	gets, puts, heads, posts, deletes, retries, slowDowns atomic.Int64
}

func (n *counts) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.Method {
	case http.MethodGet:
		n.gets.Add(1)
	case http.MethodPut:
		n.puts.Add(1)
	case http.MethodHead:
		n.heads.Add(1)
	case http.MethodPost:
		n.posts.Add(1)
	case http.MethodDelete:
		n.deletes.Add(1)
	}
	return n.next.RoundTrip(r)
}
