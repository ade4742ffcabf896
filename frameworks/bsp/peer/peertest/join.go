package peertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// join links the ranks of an incarnation.
func (r *run) join(ctx context.Context) ([]*mesh.Mesh, error) {
	configs, err := r.configs()
	if err != nil {
		return nil, err
	}
	meshes, errs := make([]*mesh.Mesh, r.Size), make([]error, r.Size)
	var wg sync.WaitGroup
	for rank, c := range configs {
		wg.Go(func() { meshes[rank], errs[rank] = mesh.Join(ctx, c) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		for _, m := range meshes {
			if m != nil {
				m.Abort()
			}
		}
		return nil, err
	}
	return meshes, nil
}

func (r *run) configs() ([]mesh.Config, error) {
	id := fmt.Sprint(r.result.Incarnations)
	configs, places := make([]mesh.Config, r.Size), make([]mesh.Place, r.Size)
	hub, dir := new(mesh.Hub), filepath.Join(r.scratch, "mesh-"+id)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	for rank := range configs {
		configs[rank] = mesh.Config{ID: id, Rank: rank, Size: r.Size, Places: places, Hub: hub, Dir: dir}
		switch r.Link {
		case ByMemory:
			places[rank].Process = "test"
		case BySharedMemory:
			places[rank].Host = "test"
		case ByNetwork:
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			configs[rank].Listener, places[rank].Address = l, l.Addr().String()
		}
	}
	return configs, nil
}
