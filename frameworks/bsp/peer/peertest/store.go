package peertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"sync"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Store holds checkpoints in memory. A checkpoint stands when all ranks are
// done with it.
type Store struct {
	size int

	mu       sync.Mutex
	sections map[string][]byte
	done     map[int64]map[int]map[string]int64 // by superstep and rank
	last     int64                              // that stands; -1: none
}

// NewStore makes the store of a gang.
func NewStore(size int) *Store {
	return &Store{size: size, sections: map[string][]byte{}, done: map[int64]map[int]map[string]int64{}, last: -1}
}

// Rank is where one rank's parts lie.
func (s *Store) Rank(rank int) peer.Checkpoints { return &rankStore{s, rank} }

// Last is the last checkpoint that stands, as a rank resumes from it; nil
// before there is one.
func (s *Store) Last(rank int, fresh bool) *peer.Resume {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last < 0 {
		return nil
	}
	return &peer.Resume{Superstep: s.last, Sections: maps.Clone(s.done[s.last][rank]), Fresh: fresh}
}

type rankStore struct {
	s    *Store
	rank int
}

func (r *rankStore) key(step int64, section string) string {
	return fmt.Sprintf("%d/%d/%s", r.rank, step, section)
}

func (r *rankStore) Begin(_ context.Context, step int64) (peer.Part, error) {
	return &part{rankStore: r, step: step, sections: map[string]*bytes.Buffer{}}, nil
}

func (r *rankStore) Open(_ context.Context, step int64, section string) (io.ReadCloser, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	b, ok := r.s.sections[r.key(step, section)]
	if !ok {
		return nil, fmt.Errorf("no section %s of superstep %d", section, step)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// part gathers what is written until it is committed.
type part struct {
	*rankStore
	step     int64
	sections map[string]*bytes.Buffer
}

func (p *part) Section(name string) (io.Writer, error) {
	b := p.sections[name]
	if b == nil {
		b = new(bytes.Buffer)
		p.sections[name] = b
	}
	return b, nil
}

func (p *part) Fixed(name string) (io.Writer, error) { return p.Section(name) }

func (p *part) Commit(ctx context.Context, sections map[string]int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, b := range p.sections {
		s.sections[p.key(p.step, name)] = b.Bytes()
	}
	for name, at := range sections {
		if _, ok := s.sections[p.key(at, name)]; !ok {
			return fmt.Errorf("rank %d commits superstep %d and has not written section %s of %d", p.rank, p.step, name, at)
		}
	}
	if s.done[p.step] == nil {
		s.done[p.step] = map[int]map[string]int64{}
	}
	s.done[p.step][p.rank] = maps.Clone(sections)
	if len(s.done[p.step]) == s.size && p.step > s.last {
		s.last = p.step
	}
	return nil
}

func (p *part) Abort() {}

// doomed tells when a rank writes checkpoints.
type doomed struct {
	peer.Checkpoints
	at func(phase Phase, step int64)
}

func (d *doomed) Begin(ctx context.Context, step int64) (peer.Part, error) {
	d.at(Writing, step)
	p, err := d.Checkpoints.Begin(ctx, step)
	return &doomedPart{p, d, step}, err
}

type doomedPart struct {
	peer.Part
	*doomed
	step int64
}

func (d *doomedPart) Commit(ctx context.Context, sections map[string]int64) error {
	err := d.Part.Commit(ctx, sections)
	d.at(Written, d.step)
	return err
}
