//go:build !linux

package shm

import (
	"errors"
	"os"
)

// Region is shared memory mapped into this process.
type Region struct{}

// Create makes a region: on Linux alone.
func Create(string, int) (*Region, *os.File, error) { return nil, nil, errors.ErrUnsupported }

// Open maps a region: on Linux alone.
func Open(*os.File, int, bool) (*Region, error) { return nil, errors.ErrUnsupported }

// Bytes are the region's.
func (r *Region) Bytes() []byte { return nil }

// Close unmaps the region.
func (r *Region) Close() error { return nil }
