package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Version is the one of manifests.
const Version = 1

// Manifest is a committed epoch.
type Manifest struct {
	Version int     `json:"version"`
	Epoch   int64   `json:"epoch"` // from 1
	Owner   string  `json:"owner"` // who committed it: one try at running the topology
	Groups  int     `json:"groups"`
	Pieces  []Piece `json:"pieces"` // by component, then index
	// Final says that no tuple comes after it: all sources were at their end.
	Final bool `json:"final,omitempty"`
}

// Piece is one task's part of an epoch.
type Piece struct {
	Component string          `json:"component"`
	Index     int             `json:"index"`
	Position  json.RawMessage `json:"position,omitempty"`  // of a source
	Exhausted bool            `json:"exhausted,omitempty"` // the source is at its end
	State     string          `json:"state,omitempty"`     // the object of a keyed operator
	Bytes     int64           `json:"bytes,omitempty"`     // of State
	Part      json.RawMessage `json:"part,omitempty"`      // of a sink: what it sealed
}

// Of lists the pieces of a component.
func (m *Manifest) Of(component string) []Piece {
	var list []Piece
	if m != nil {
		for _, p := range m.Pieces {
			if p.Component == component {
				list = append(list, p)
			}
		}
	}
	return list
}

// Store keeps objects by name. Its errors have those of package store in their
// chain.
type Store interface {
	// Put writes an object, or replaces it.
	Put(ctx context.Context, name string, b []byte) error
	// Commit writes an object that is not there yet; else store.ErrExists, unless
	// it has the same bytes.
	Commit(ctx context.Context, name string, b []byte) error
	// Get reads an object; store.ErrNotFound if there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// Delete removes an object, which need not be there.
	Delete(ctx context.Context, name string) error
}

func name(epoch int64) string { return fmt.Sprintf("epochs/%012d", epoch) }

// Commit commits an epoch. That another owner did is an error of kind Conflict
// with store.ErrExists in its chain; after another error it is open whether it
// happened, and Commit may be called again.
func Commit(ctx context.Context, s Store, m *Manifest) error {
	m.Version = Version
	b, err := json.Marshal(m)
	if err != nil {
		return &core.Error{Kind: core.Internal, What: fmt.Sprintf("write the manifest of epoch %d", m.Epoch), Err: err}
	}
	err = s.Commit(ctx, name(m.Epoch), b)
	if errors.Is(err, store.ErrExists) {
		return &core.Error{Kind: core.Conflict, What: fmt.Sprintf("epoch %d was committed by another run of the topology", m.Epoch),
			Where: name(m.Epoch), Remedy: "leave it to that run, or end it first", Err: err}
	}
	return err
}

// Read reads the manifest of an epoch; nil if it was not committed.
func Read(ctx context.Context, s Store, epoch int64) (*Manifest, error) {
	b, err := s.Get(ctx, name(epoch))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil || m.Version != Version || m.Epoch != epoch {
		return nil, core.Errorf(core.Conflict, "the manifest of epoch %d is not one of Capstan's, or of another version", epoch).
			At(name(epoch)).Do("run the topology from another place, or with the Capstan that wrote it")
	}
	return m, nil
}

// Last is the last epoch that was committed; nil if none was. It asks for one
// after the other, in steps that double: committed epochs have no gaps.
func Last(ctx context.Context, s Store) (*Manifest, error) {
	var last *Manifest
	for step := int64(1); ; step *= 2 {
		m, err := Read(ctx, s, step)
		if err != nil {
			return nil, err
		}
		if m == nil {
			return between(ctx, s, last, step)
		}
		last = m
	}
}

// between finds the last epoch from low, which is there, to high, which is not.
func between(ctx context.Context, s Store, low *Manifest, high int64) (*Manifest, error) {
	for low != nil && low.Epoch+1 < high {
		middle := (low.Epoch + high) / 2
		m, err := Read(ctx, s, middle)
		if err != nil {
			return nil, err
		}
		if m == nil {
			high = middle
		} else {
			low = m
		}
	}
	return low, nil
}
