package shuffle

import "sync/atomic"

// Rung is a step of the read ladder.
type Rung string

const (
	RungNone   Rung = "none"   // an empty partition: nothing was read
	RungMemory Rung = "memory" // this process's own memory
	RungLocal  Rung = "local"  // a file of this host, or its arena
	RungPeer   Rung = "peer"   // another executor
	RungStore  Rung = "store"  // the object store
)

// Metrics counts what sources read. All fields may be read and added to at any
// time; one Metrics may serve many sources.
type Metrics struct {
	MemoryBytes atomic.Int64 // verified bytes from this process's memory
	LocalBytes  atomic.Int64 // verified bytes from files of this host
	PeerBytes   atomic.Int64 // verified bytes from other executors
	StoreBytes  atomic.Int64 // verified bytes from the store
	Partitions  atomic.Int64 // partitions opened, empty ones included
	MemoryOpens atomic.Int64 // of those, by rung
	LocalOpens  atomic.Int64
	PeerOpens   atomic.Int64
	StoreOpens  atomic.Int64
	Fallen      atomic.Int64 // rungs that did not have an intact copy
	Corrupt     atomic.Int64 // of those, the ones whose checksum did not match
	Held        atomic.Int64 // bytes that readers hold in pooled memory now; what was mapped is not among them
}

func (m *Metrics) held(n int64) {
	if m != nil {
		m.Held.Add(n)
	}
}

func (m *Metrics) opened(r Rung, bytes int64) {
	if m == nil {
		return
	}
	m.Partitions.Add(1)
	switch r {
	case RungMemory:
		m.MemoryOpens.Add(1)
		m.MemoryBytes.Add(bytes)
	case RungLocal:
		m.LocalOpens.Add(1)
		m.LocalBytes.Add(bytes)
	case RungPeer:
		m.PeerOpens.Add(1)
		m.PeerBytes.Add(bytes)
	case RungStore:
		m.StoreOpens.Add(1)
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
