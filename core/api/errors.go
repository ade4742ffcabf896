package api

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
)

var codes = map[core.ErrKind]connect.Code{
	core.Internal:    connect.CodeInternal,
	core.Failed:      connect.CodeAborted,
	core.Invalid:     connect.CodeInvalidArgument,
	core.Cancelled:   connect.CodeCanceled,
	core.NotFound:    connect.CodeNotFound,
	core.Unplaceable: connect.CodeFailedPrecondition,
	core.Denied:      connect.CodePermissionDenied,
	core.HostLost:    connect.CodeUnavailable,
	core.TimedOut:    connect.CodeDeadlineExceeded,
	core.Conflict:    connect.CodeAlreadyExists,
}

// ToConnect puts err on the wire with its detail. nil stays nil.
func ToConnect(err error) error {
	if err == nil {
		return nil
	}
	var done *connect.Error
	if errors.As(err, &done) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return connect.NewError(connect.CodeCanceled, err)
	}
	e := core.AsError(err)
	what := e.What
	if e.Err != nil {
		if what != "" {
			what += ": "
		}
		what += e.Err.Error()
	}
	d := &apipb.ErrorDetail{Kind: string(e.Kind), What: what, Where: e.Where, Remedy: e.Remedy, Detail: e.Detail}
	for _, g := range e.Diagnostics {
		if s, err := ToStruct(g); err == nil {
			d.Diagnostics = append(d.Diagnostics, s)
		}
	}
	ce := connect.NewError(codes[e.Kind], errors.New(e.Error()))
	if detail, err := connect.NewErrorDetail(d); err == nil {
		ce.AddDetail(detail)
	}
	return ce
}

// FromConnect is the reverse of ToConnect. An error without our detail is one
// of the transport: the host did not answer, or went away while answering.
func FromConnect(err error) error {
	if err == nil {
		return nil
	}
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return err
	}
	for _, d := range ce.Details() {
		v, err := d.Value()
		if err != nil {
			continue
		}
		if e, ok := v.(*apipb.ErrorDetail); ok {
			return fromDetail(e)
		}
	}
	code := ce.Code()
	if !connect.IsWireError(err) && code != connect.CodeCanceled && code != connect.CodeDeadlineExceeded {
		code = connect.CodeUnavailable // made here: an answer that broke off has many names
	}
	switch code {
	case connect.CodeUnavailable, connect.CodeUnknown, connect.CodeInternal:
		return &core.Error{Kind: core.HostLost, What: "the host does not answer: " + ce.Message(),
			Remedy: "`capstan doctor` looks for the cause; jobs that were acknowledged go on when it is back", Err: nil}
	case connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return core.Errorf(core.Denied, "%s", ce.Message()).Do("set CAPSTAN_TOKEN, or use the account that started the host")
	case connect.CodeDeadlineExceeded:
		return core.Errorf(core.TimedOut, "%s", ce.Message())
	case connect.CodeCanceled:
		return context.Canceled
	}
	return core.Errorf(core.Internal, "%s", ce.Message())
}

func fromDetail(d *apipb.ErrorDetail) *core.Error {
	e := &core.Error{Kind: core.ErrKind(d.Kind), What: d.What, Where: d.Where, Remedy: d.Remedy, Detail: d.Detail}
	for _, s := range d.Diagnostics {
		var g core.Diagnostic
		if FromStruct(s, &g) == nil {
			e.Diagnostics = append(e.Diagnostics, g)
		}
	}
	return e
}
