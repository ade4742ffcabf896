package host

import (
	"errors"
	"strings"
	"syscall"

	"github.com/capstan-run/capstan/core"
)

// diskFull reports whether err tells of a disk without space. Engines tell it
// in words.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), "no space left on device") || strings.Contains(err.Error(), "disk quota exceeded")
}

// fileError is what went wrong in a directory of the host's.
func fileError(doing, path string, err error) *core.Error {
	e := &core.Error{Kind: core.Internal, What: doing, Where: path, Err: err}
	if diskFull(err) {
		e.Remedy = "free space on that file system, then `capstan retry`"
	}
	return e
}
