//go:build !linux

package executor

import "time"

// Executors run on Linux; elsewhere this package serves the host only.

func cpuTime() time.Duration { return 0 }

func residentBytes() int64 { return 0 }

func reapAdopted() (stop func()) { return func() {} }
