package exchange

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DiskResult is what an exchange beyond its budget of memory took, and what the
// disk takes for the same bytes. All of it is of one round, in the mean.
type DiskResult struct {
	Rows    int64         // bytes of rows
	Written int64         // by the exchange: spilled runs and the object
	Read    int64         // by the exchange: the runs again, and the object
	Device  int64         // of these, what the disk itself wrote and read
	Wall    time.Duration // of the exchange, synced, and read from the disk
	Gather  time.Duration // of Wall, before the first byte of the object could be written
	Raw     time.Duration // Written bytes written and Read bytes read without it
	Bare    time.Duration // the same of Device bytes
}

// OfRaw is the exchange's speed as a share of moving the same bytes to the disk
// and back. Runs that the page cache held in between make it larger.
func (r *DiskResult) OfRaw() float64 { return r.Raw.Seconds() / r.Wall.Seconds() }

// OfDevice is the same share for the bytes that did reach the disk, so that
// nothing is won by the page cache. While rows are gathered the disk has
// nothing to do: at best it is 1 - Idle, unless commit and read are faster than
// the bare disk was.
func (r *DiskResult) OfDevice() float64 { return r.Bare.Seconds() / r.Wall.Seconds() }

// Idle is the share of the exchange's time that passed before its object could
// begin to be written: the last row may belong to the first partition.
func (r *DiskResult) Idle() float64 { return r.Gather.Seconds() / r.Wall.Seconds() }

// MeasureDisk runs c, whose tier is File, with objects synced and read from the
// disk. c.Budget is by default half the rows.
func MeasureDisk(ctx context.Context, c Config) (DiskResult, error) {
	if c.Budget == 0 {
		rows := c
		rows.defaults()
		c.Budget = int64(rows.Rows) * rowBytes / 2
	}
	if c.Consumers == 0 {
		c.Consumers = 2 // one verifies while the disk reads for the other
	}
	c.defaults()
	c.Tier, c.Sync = File, true
	l, err := newLab(c)
	if err != nil {
		return DiskResult{}, err
	}
	defer l.close()
	var sum DiskResult
	for i := range c.Rounds + 1 {
		r, err := l.diskRound(ctx)
		if err != nil {
			return DiskResult{}, err
		}
		if i > 0 { // law E3
			sum.Written += r.Written
			sum.Read += r.Read
			sum.Device += r.Device
			sum.Wall += r.Wall
			sum.Gather += r.Gather
			sum.Raw += r.Raw
			sum.Bare += r.Bare
		}
	}
	n := int64(c.Rounds)
	d := time.Duration(n)
	return DiskResult{
		Rows: int64(c.Rows) * rowBytes, Written: sum.Written / n, Read: sum.Read / n, Device: sum.Device / n,
		Wall: sum.Wall / d, Gather: sum.Gather / d, Raw: sum.Raw / d, Bare: sum.Bare / d,
	}, nil
}

// diskRound is one exchange, then the bare disk.
func (l *lab) diskRound(ctx context.Context) (DiskResult, error) {
	var r DiskResult
	before, err := diskUse()
	if err != nil {
		return r, err
	}
	start := time.Now()
	w, err := l.gather()
	if err != nil {
		return r, err
	}
	r.Gather = time.Since(start)
	idx, err := l.commit(ctx, w)
	if err != nil {
		return r, err
	}
	r.Wall = time.Since(start)
	if err := forget(filepath.Join(l.c.Dir, objectName)); err != nil {
		return r, errors.Join(err, l.remove())
	}
	start = time.Now()
	err = l.read(ctx, idx)
	r.Wall += time.Since(start)
	after, e := diskUse()
	if err = errors.Join(err, e, l.remove()); err != nil {
		return r, err
	}
	r.Written = after.asked - before.asked
	r.Read = r.Written - idx.Size + idx.Bytes() // what was spilled is read once
	wrote, read := after.wrote-before.wrote, after.read-before.read
	r.Device = wrote + read
	if r.Raw, err = rawDisk(l.c.Dir, r.Written, r.Read); err != nil {
		return r, err
	}
	// The disk's own speed was just measured: it takes as long for each byte.
	r.Bare = time.Duration(float64(r.Raw) * float64(r.Device) / float64(r.Written+r.Read))
	return r, nil
}

// use is what this process has done to files: asked for by writing, and done
// by the disk.
type use struct{ asked, wrote, read int64 }

func diskUse() (use, error) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return use{}, fmt.Errorf("ask for the process's I/O: %w", err)
	}
	n := map[string]int64{}
	for _, line := range strings.Split(string(b), "\n") {
		if name, v, ok := strings.Cut(line, ": "); ok {
			if n[name], err = strconv.ParseInt(v, 10, 64); err != nil {
				return use{}, fmt.Errorf("read the process's I/O: %w", err)
			}
		}
	}
	return use{n["wchar"], n["write_bytes"] - n["cancelled_write_bytes"], n["read_bytes"]}, nil
}

// forget drops what the page cache has of a synced file.
func forget(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

const rawBlock = 4 << 20

// rawDisk writes and reads so many bytes as dd does with oflag=direct and
// iflag=direct, in blocks of 4 MiB, and syncs.
func rawDisk(dir string, write, read int64) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "raw-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	// Shared memory has no other way than by the page cache.
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFL, unix.O_DIRECT); err != nil && !errors.Is(err, unix.EINVAL) {
		return 0, fmt.Errorf("open %s without the page cache: %w", f.Name(), err)
	}
	b := alignedBlock()
	size := (max(write, read) + rawBlock - 1) / rawBlock * rawBlock
	start := time.Now()
	for at := int64(0); at < write; at += rawBlock {
		if _, err := f.WriteAt(b, at); err != nil {
			return 0, err
		}
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return 0, err
	}
	took := time.Since(start)
	for at := write; at < size; at += rawBlock { // not timed: something to read
		if _, err := f.WriteAt(b, at/rawBlock*rawBlock); err != nil {
			return 0, err
		}
	}
	start = time.Now()
	for at := int64(0); at < read; at += rawBlock {
		if _, err := f.ReadAt(b, at); err != nil {
			return 0, err
		}
	}
	return took + time.Since(start), nil
}

// alignedBlock returns a block at an address that direct I/O takes.
func alignedBlock() []byte {
	const page = 4096
	b := make([]byte, rawBlock+page)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (page - 1)
	b = b[skip : skip+rawBlock]
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}
