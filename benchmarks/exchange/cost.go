package exchange

import (
	"fmt"
	"hash/crc32"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// cost is what a piece of work took.
type cost struct {
	cpu  time.Duration // user and system, of the whole process
	wall time.Duration
}

// spent returns what the process has used so far.
func spent() (cost, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return cost{}, fmt.Errorf("ask for the process's CPU time: %w", err)
	}
	return cost{
		cpu:  time.Duration(r.Utime.Nano() + r.Stime.Nano()),
		wall: time.Duration(time.Now().UnixNano()),
	}, nil
}

// timed runs f and returns what it took.
func timed(f func() error) (cost, error) {
	before, err := spent()
	if err != nil {
		return cost{}, err
	}
	if err := f(); err != nil {
		return cost{}, err
	}
	after, err := spent()
	return cost{cpu: after.cpu - before.cpu, wall: after.wall - before.wall}, err
}

func (c cost) plus(d cost) cost { return cost{cpu: c.cpu + d.cpu, wall: c.wall + d.wall} }

// rate is bytes per CPU-second in MB.
func (c cost) rate(bytes int64) float64 { return float64(bytes) / 1e6 / c.cpu.Seconds() }

// Yardsticks are this machine's own speeds in the same run, in MB per
// CPU-second.
type Yardsticks struct {
	Memcpy float64 // between two warm buffers larger than the caches
	CRC    float64 // CRC32C over one
	Write  float64 // write(2) of the buffer into a fresh file of the directory
}

// measureYardsticks takes them with a buffer of n bytes.
func measureYardsticks(dir string, n int) (Yardsticks, error) {
	src, dst := make([]byte, n), make([]byte, n)
	for i := range src {
		src[i] = byte(i * 7)
	}
	copy(dst, src)
	table := crc32.MakeTable(crc32.Castagnoli)
	const rounds = 8
	copied, err := timed(func() error {
		for range rounds {
			copy(dst, src)
		}
		return nil
	})
	if err != nil {
		return Yardsticks{}, err
	}
	summed, err := timed(func() error {
		for range rounds {
			crc32.Checksum(src, table)
		}
		return nil
	})
	if err != nil {
		return Yardsticks{}, err
	}
	written, err := timed(func() error {
		for range rounds {
			if err := writeFresh(dir, src); err != nil {
				return err
			}
		}
		return nil
	})
	total := int64(rounds * n)
	return Yardsticks{Memcpy: copied.rate(total), CRC: summed.rate(total), Write: written.rate(total)}, err
}

func writeFresh(dir string, b []byte) error {
	f, err := os.CreateTemp(dir, "yardstick-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.Write(b)
	return err
}
