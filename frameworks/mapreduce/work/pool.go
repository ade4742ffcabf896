package work

import "sync"

// pool keeps the stores of finished tasks for the next ones: a table that has
// its size already, and memory that was touched before. It holds as many as
// tasks ever ran at once.
type pool struct {
	mu      sync.Mutex
	tallies []*tallyStore
	records []*recordStore
}

// tally answers with an empty tally of the partitions of part. All tallies of
// a worker fold by one fold.
func (p *pool) tally(f Fold, part *Partitioner, budget int) *tallyStore {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.tallies); n > 0 {
		t := p.tallies[n-1]
		p.tallies = p.tallies[:n-1]
		t.partition(part)
		t.budget = budget
		return t
	}
	return &tallyStore{Tally: NewTally(f, part, budget)}
}

func (p *pool) store(value Kind) *recordStore {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.records); n > 0 {
		r := p.records[n-1]
		p.records = p.records[:n-1]
		return r
	}
	return &recordStore{records{kind: value}}
}

// put takes the store of a collector that is done.
func (p *pool) put(c *Collector) {
	if c.scatter != nil {
		return
	}
	c.store().reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.tally != nil:
		p.tallies = append(p.tallies, c.tally)
	case c.records != nil:
		p.records = append(p.records, c.records)
	}
}
