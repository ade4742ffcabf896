package exec

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// divide makes communicators, and frees them.
func (p *proxy) divide(ctx context.Context, c *mpi.Comm, r *request) (*answer, error) {
	var made *mpi.Comm
	var err error
	switch r.command {
	case cmdSplit:
		made, err = c.Split(ctx, int(r.tag), int(r.value))
	case cmdDup:
		made, err = c.Dup(ctx)
	case cmdSplitHost:
		made, err = c.SplitByHost(ctx)
	default:
		return p.free(c, r)
	}
	if err != nil {
		return nil, err
	}
	if made == nil {
		return &answer{comm: none}, nil
	}
	return &answer{comm: p.comms.add(made), peer: int32(made.Rank()), value: int64(made.Size())}, nil
}

func (p *proxy) free(c *mpi.Comm, r *request) (*answer, error) {
	if r.comm < 2 {
		return nil, refusal{statusRequest, fmt.Sprintf("free: %s stays", c)}
	}
	p.comms.remove(r.comm)
	c.Free()
	return &answer{}, nil
}
