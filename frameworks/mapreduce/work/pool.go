package work

import "sync"

// pool keeps the stores of finished tasks for the next ones: a table that has
// its size already, and memory that was touched before. It holds as many as
// tasks ever ran at once.
type pool struct {
	mu      sync.Mutex
	tables  []*tableStore
	records []*recordStore
}

func (p *pool) table(f Fold) *tableStore {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.tables); n > 0 {
		t := p.tables[n-1]
		p.tables = p.tables[:n-1]
		return t // a worker folds by one fold
	}
	return &tableStore{Table: NewTable(f)}
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
	c.store().reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.table != nil:
		p.tables = append(p.tables, c.table)
	case c.records != nil:
		p.records = append(p.records, c.records)
	}
}
