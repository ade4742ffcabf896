package mpi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Join makes this process a rank of the program that it was started for, for
// those that have a main function of their own. All ranks join at about the same
// time. Where no launcher has started it, it is the only rank.
func Join(ctx context.Context) (*World, error) {
	client, err := pmi.Dial(ctx, os.Getenv)
	if errors.Is(err, pmi.ErrNoServer) {
		return alone(ctx)
	}
	if err != nil {
		return nil, err
	}
	w, err := meet(ctx, client)
	if err != nil {
		_ = client.Abort(exitCode(err))
		return nil, err
	}
	return w, nil
}

// alone is a world of one.
func alone(ctx context.Context) (*World, error) {
	m, err := mesh.Join(ctx, mesh.Config{ID: "alone", Size: 1, Places: make([]mesh.Place, 1)})
	if err != nil {
		return nil, err
	}
	return &World{Comm: newWorld(m, []string{"here"}).comm(), leave: func(ctx context.Context, err error) error { return end(ctx, m, err) }}, nil
}

// card is what a rank tells the others of itself.
type card struct {
	Node    string // ranks with the same share a directory
	Address string // of its listener; "" where it has none
}

func (c card) String() string { return c.Node + "|" + c.Address }

func parseCard(s string) (card, error) {
	node, address, ok := strings.Cut(s, "|")
	if !ok {
		return card{}, fmt.Errorf("%q is no business card of a native rank", s)
	}
	return card{node, address}, nil
}

// meet joins the mesh that the world's ranks agree on through their launcher.
func meet(ctx context.Context, client *pmi.Client) (*World, error) {
	s, err := settle(client)
	if err != nil {
		return nil, err
	}
	defer s.close()
	cards, err := s.exchange(ctx, client)
	if err != nil {
		return nil, err
	}
	hosts := make([]string, len(cards))
	for r, c := range cards {
		s.config.Places = append(s.config.Places, mesh.Place{Host: c.Node, Address: c.Address})
		hosts[r] = c.Node
	}
	m, err := mesh.Join(ctx, s.config)
	if err != nil {
		return nil, err
	}
	s.config.Listener = nil // the mesh's now
	// Links are made when they are first needed: every rank must have joined.
	if err := client.Barrier(ctx); err != nil {
		m.Abort()
		return nil, err
	}
	w := newWorld(m, hosts)
	stop := w.observe(s.state)
	leave := func(ctx context.Context, err error) error {
		stop()
		err = end(ctx, m, err)
		s.clean(err)
		if err != nil {
			_ = client.Abort(exitCode(err)) // a launcher that is gone has ended the world
			return err
		}
		return client.Finalize(ctx)
	}
	return &World{Comm: w.comm(), leave: leave}, nil
}

// exchange gives every rank the cards of all. Where the launcher says that all
// ranks are on this node they are like this rank's, and nothing is asked.
func (s *site) exchange(ctx context.Context, client *pmi.Client) ([]card, error) {
	cards := make([]card, client.Size)
	if s.together {
		for r := range cards {
			cards[r] = s.card
		}
		return cards, nil
	}
	if err := client.Put(ctx, key(client.Rank), s.card.String()); err != nil {
		return nil, err
	}
	if err := client.Barrier(ctx); err != nil {
		return nil, err
	}
	for r := range cards {
		v, ok, err := client.Get(ctx, key(r))
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, core.Errorf(core.Failed, "rank %d has left no business card", r).At("mpi").
				Do("start native programs by themselves: ranks built with MPICH have a world of their own")
		}
		if cards[r], err = parseCard(v); err != nil {
			return nil, err
		}
	}
	return cards, nil
}

func key(rank int) string { return fmt.Sprintf("capstan-%d", rank) }
