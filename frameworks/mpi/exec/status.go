package exec

import (
	"context"
	"errors"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// status is how a request went; see the package's comment.
type status uint32

const (
	statusOK status = iota
	statusRequest
	statusTruncated
	statusKind
	statusLost
	statusEnded
	statusResource
	statusOther
)

// refusal is an answer that is none.
type refusal struct {
	status status
	what   string
}

func (r refusal) Error() string { return r.what }

// failed is the answer to a request that err ended.
func failed(err error) *answer {
	a := &answer{status: statusOther, peer: -1, data: []byte(text(err))}
	var refused refusal
	var lost *mesh.PeerError
	var known *core.Error
	switch {
	case errors.As(err, &refused):
		a.status = refused.status
	case errors.As(err, &lost):
		a.status, a.peer = statusLost, int32(lost.Rank)
	case errors.Is(err, context.Canceled), errors.Is(err, mesh.ErrClosed):
		a.status = statusEnded
	case errors.As(err, &known) && known.Kind == core.Invalid:
		a.status = statusRequest
	}
	return a
}

// text is err with its remedy.
func text(err error) string {
	var known *core.Error
	if errors.As(err, &known) && known.Remedy != "" {
		return known.Error() + ": " + known.Remedy
	}
	return err.Error()
}
