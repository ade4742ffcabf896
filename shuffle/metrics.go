package shuffle

import "sync/atomic"

// Rung is a step of the read ladder.
type Rung string

const (
	RungNone  Rung = "none"  // an empty partition: nothing was read
	RungLocal Rung = "local" // a file of this host
	RungStore Rung = "store" // the object store
)

// Metrics counts what sources read. All fields may be read and added to at any
// time; one Metrics may serve many sources.
type Metrics struct {
	LocalBytes atomic.Int64 // verified bytes from files of this host
	StoreBytes atomic.Int64 // verified bytes from the store
	Partitions atomic.Int64 // partitions opened, empty ones included
	Fallen     atomic.Int64 // rungs that did not have an intact copy
	Corrupt    atomic.Int64 // of those, the ones whose checksum did not match
}

func (m *Metrics) opened(r Rung, bytes int64) {
	if m == nil {
		return
	}
	m.Partitions.Add(1)
	switch r {
	case RungLocal:
		m.LocalBytes.Add(bytes)
	case RungStore:
		m.StoreBytes.Add(bytes)
	}
}

func (m *Metrics) fell(corrupt bool) {
	if m == nil {
		return
	}
	m.Fallen.Add(1)
	if corrupt {
		m.Corrupt.Add(1)
	}
}
