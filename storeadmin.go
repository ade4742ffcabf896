package main

import (
	"context"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/cli"
	"github.com/capstan-run/capstan/shuffle/store"
)

var (
	_ cli.Collector = storeCommands{}
	_ cli.Sharer    = storeCommands{}
)

func (s storeCommands) Share(ctx context.Context, path string, life time.Duration) (string, error) {
	return s.c.Share(ctx, path, life)
}

// Garbage looks for uploads in the whole of a store that is ours alone, and
// beside the given prefixes only among the jobs' in one that may have others'.
func (s storeCommands) Garbage(ctx context.Context, live func(context.Context) (map[core.JobID]core.Epoch, error), before time.Time, uploads []string) ([]cli.Garbage, error) {
	if uploads == nil && s.c.Access().Root == "" {
		uploads = []string{}
	}
	found, err := s.c.Garbage(ctx, store.Search{Jobs: "capstan/jobs/", Live: live, Before: before, Uploads: uploads})
	list := make([]cli.Garbage, len(found))
	for i, g := range found {
		list[i] = cli.Garbage(g)
	}
	return list, err
}

func (s storeCommands) Discard(ctx context.Context, list []cli.Garbage) (int, error) {
	found := make([]store.Garbage, len(list))
	for i, g := range list {
		found[i] = store.Garbage(g)
	}
	return s.c.Discard(ctx, found)
}
