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

func (r *rankStore) Create(_ context.Context, step int64, section string) (peer.Section, error) {
	return &staged{store: r.s, key: r.key(step, section)}, nil
}

func (r *rankStore) Done(ctx context.Context, step int64, sections map[string]int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for name, at := range sections {
		if _, ok := r.s.sections[r.key(at, name)]; !ok {
			return fmt.Errorf("rank %d is done with superstep %d and has not committed section %s of %d", r.rank, step, name, at)
		}
	}
	if r.s.done[step] == nil {
		r.s.done[step] = map[int]map[string]int64{}
	}
	r.s.done[step][r.rank] = maps.Clone(sections)
	if len(r.s.done[step]) == r.s.size && step > r.s.last {
		r.s.last = step
	}
	return nil
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

// staged gathers what is written until it is committed.
type staged struct {
	bytes.Buffer
	store *Store
	key   string
}

func (s *staged) Commit() error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.sections[s.key] = s.Bytes()
	return nil
}

func (s *staged) Abort() {}

// doomed tells when a rank writes checkpoints.
type doomed struct {
	peer.Checkpoints
	at func(phase Phase, step int64)
}

func (d *doomed) Create(ctx context.Context, step int64, section string) (peer.Section, error) {
	d.at(Writing, step)
	return d.Checkpoints.Create(ctx, step, section)
}

func (d *doomed) Done(ctx context.Context, step int64, sections map[string]int64) error {
	err := d.Checkpoints.Done(ctx, step, sections)
	d.at(Written, step)
	return err
}
