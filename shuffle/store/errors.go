package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
)

// The closed set of what a store says no with. Every error of a Client has
// exactly one of them in its chain, or a context's error, or is of kind Invalid
// (a bad path or argument) or Internal.
var (
	// ErrNotFound: no such object or bucket.
	ErrNotFound = errors.New("not found")
	// ErrExists: Put with IfNoneMatch, or Commit of other bytes, and the object exists.
	ErrExists = errors.New("exists already")
	// ErrDenied: the credentials are wrong, or do not reach that far.
	ErrDenied = errors.New("access denied")
	// ErrFenced: the attempt is over and its gate closed (law C1). Also ErrDenied.
	ErrFenced = fmt.Errorf("attempt is fenced: %w", ErrDenied)
	// ErrExpired: the credentials' time is over. Also ErrDenied.
	ErrExpired = fmt.Errorf("credentials have expired: %w", ErrDenied)
	// ErrFull: the store's disk or quota is.
	ErrFull = errors.New("no space left in the store")
	// ErrUnavailable: the store did not answer, or answered that it cannot now.
	// A Client returns it only after its budget was spent (law S3), or when the
	// body could not be sent again.
	ErrUnavailable = errors.New("store unavailable")
)

// CodeFenced is the S3 error code of a closed gate.
const CodeFenced = "AttemptFenced"

// CodeExpired is the S3 error code of temporary credentials past their time.
const CodeExpired = "ExpiredToken"

// CodeFull is the S3 error code of a full disk.
const CodeFull = "InsufficientStorage"

// classify turns what minio-go or the transport returned for verb on path into
// a *core.Error. It passes nil, contexts' ends and *core.Errors through.
func classify(ctx context.Context, verb, path string, err error) error {
	if err == nil {
		return nil
	}
	var known *core.Error
	if errors.As(err, &known) {
		return err
	}
	if ctx.Err() != nil {
		return &core.Error{Kind: core.Cancelled, What: verb, Where: path, Err: context.Cause(ctx)}
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return &core.Error{Kind: core.Denied, What: verb, Where: path, Err: err,
			Remedy: "check the endpoint's name, and that its certificate's authority is trusted on this machine"}
	}
	var resp minio.ErrorResponse
	if !errors.As(err, &resp) {
		return verdicts[ErrUnavailable].error(verb, path, ErrUnavailable, err.Error())
	}
	sentinel := sentinelOf(resp)
	detail := resp.Code
	if resp.Message != "" {
		detail += ": " + resp.Message
	}
	if sentinel == nil {
		return &core.Error{Kind: core.Internal, What: verb, Where: path, Err: fmt.Errorf("%s (HTTP %d)", detail, resp.StatusCode)}
	}
	return verdicts[sentinel].error(verb, path, sentinel, detail)
}

// sentinelOf is the Err value a response stands for, nil for none.
func sentinelOf(r minio.ErrorResponse) error {
	switch r.Code {
	case CodeFenced:
		return ErrFenced
	case CodeExpired, "TokenRefreshRequired":
		return ErrExpired
	case CodeFull, "QuotaExceeded", "XMinioStorageFull":
		return ErrFull
	case "NoSuchKey", "NoSuchBucket", "NoSuchUpload":
		return ErrNotFound
	case "PreconditionFailed":
		return ErrExists
	case "IncompleteBody", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted", "BadDigest", "XAmzContentSHA256Mismatch":
		// The body was cut or damaged under way, or a racer was in between:
		// another try is the remedy.
		return ErrUnavailable
	}
	switch s := r.StatusCode; {
	case s == http.StatusNotFound:
		return ErrNotFound
	case s == http.StatusPreconditionFailed:
		return ErrExists
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		return ErrDenied
	case s == http.StatusInsufficientStorage:
		return ErrFull
	case s == http.StatusTooManyRequests || s >= 500 && s != http.StatusNotImplemented:
		return ErrUnavailable
	case s == 0:
		return ErrUnavailable
	}
	return nil
}

// tooFast reports whether a store's answer asks for fewer requests a second.
func tooFast(err error) bool {
	var r minio.ErrorResponse
	if !errors.As(err, &r) {
		return false
	}
	switch r.Code {
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "RequestLimitExceeded", "ThrottlingException", "TooManyRequests":
		return true
	}
	return r.StatusCode == http.StatusTooManyRequests
}

// verdict is how an Err value is told to a user.
type verdict struct {
	kind   core.ErrKind
	remedy string
}

var verdicts = map[error]verdict{
	ErrNotFound:    {core.NotFound, "check the path, or list the folder with `capstan store ls`"},
	ErrExists:      {core.Conflict, "choose another path, or delete the object first"},
	ErrDenied:      {core.Denied, "check the store's credentials and that the job was granted this prefix"},
	ErrFenced:      {core.Denied, "nothing to do: a newer attempt has taken over, or the job is over"},
	ErrExpired:     {core.Denied, "ask the host for new credentials; if the job has no walltime, see the host's log for why it did not extend them"},
	ErrFull:        {core.Failed, "free space on the store's disk; `capstan store gc` removes what ended jobs left there, but no result"},
	ErrUnavailable: {core.Failed, "check that the store is up (`capstan doctor`) and reachable at its endpoint"},
}

func (v verdict) error(verb, path string, sentinel error, detail string) error {
	return &core.Error{
		Kind: v.kind, What: verb, Where: path, Remedy: v.remedy,
		Err: fmt.Errorf("%w: %s", sentinel, detail),
	}
}
