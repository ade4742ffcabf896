package terasort

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Validate reads the files of dir whose names begin with "part-", in the order
// of their names. The first record that is out of order, or cut off, is the
// error, with its place.
func Validate(ctx context.Context, dir string) (Summary, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Summary{}, err
	}
	var v validator
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "part-") {
			continue
		}
		if err := v.file(ctx, filepath.Join(dir, e.Name())); err != nil {
			return v.sum, err
		}
	}
	return v.sum, nil
}

type validator struct {
	sum  Summary
	last [KeyLength]byte
}

func (v *validator) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	var r [RecordLength]byte
	for n := int64(0); ; n++ {
		_, err := io.ReadFull(in, r[:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: record %d: %w", path, n, err)
		}
		if bytes.Compare(v.last[:], r[:KeyLength]) > 0 {
			return fmt.Errorf("%s: record %d: key %x comes after %x", path, n, r[:KeyLength], v.last)
		}
		copy(v.last[:], r[:KeyLength])
		v.sum.add(r[:])
		if n%(1<<16) == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
