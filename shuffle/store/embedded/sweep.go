package embedded

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/versity/versitygw/backend/posix"
)

// uploadLife is after how long an unfinished multipart upload is dropped.
const uploadLife = 7 * 24 * time.Hour

// sweepStaging clears, before the server starts, what a killed one left in the
// buckets' staging folders, and gives back uploads whose completion was cut:
// the backend would answer their repetition with success, without an object.
func sweepStaging(root string, now time.Time) error {
	buckets, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range buckets {
		if b.IsDir() {
			errs = append(errs, sweepBucket(filepath.Join(root, b.Name()), now))
		}
	}
	return errors.Join(errs...)
}

func sweepBucket(bucket string, now time.Time) error {
	var errs []error
	for _, e := range entries(filepath.Join(bucket, posix.MetaTmpDir)) {
		if e.Type().IsRegular() {
			errs = append(errs, os.Remove(filepath.Join(bucket, posix.MetaTmpDir, e.Name())))
		}
	}
	uploads := filepath.Join(bucket, posix.MetaTmpMultipartDir)
	for _, object := range entries(uploads) {
		dir := filepath.Join(uploads, object.Name())
		for _, e := range entries(dir) {
			errs = append(errs, sweepUpload(filepath.Join(dir, e.Name()), e, now))
		}
		os.Remove(dir) // succeeds only when it is empty
	}
	return errors.Join(errs...)
}

func sweepUpload(path string, e fs.DirEntry, now time.Time) error {
	fi, err := e.Info()
	if err != nil {
		return err
	}
	id, _, cut := strings.Cut(e.Name(), ".")
	switch {
	case !e.IsDir(), now.Sub(fi.ModTime()) > uploadLife:
		return os.RemoveAll(path)
	case cut:
		return os.Rename(path, filepath.Join(filepath.Dir(path), id))
	}
	return nil
}

func entries(dir string) []fs.DirEntry {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	return list
}

// overwriting is the name an object has for a moment while it replaces another.
var overwriting = regexp.MustCompile(`^\..+\.sgwtmp\.([0-9]{18,19})$`)

// sweepOverwrites removes second names of objects whose replacement was cut
// before the time start. It walks the whole store, so it runs beside the server.
func sweepOverwrites(ctx context.Context, root string, start time.Time) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return filepath.SkipAll
		}
		if err != nil || !e.Type().IsRegular() {
			return nil // deleted meanwhile
		}
		if m := overwriting.FindStringSubmatch(e.Name()); m != nil {
			if ns, err := strconv.ParseInt(m[1], 10, 64); err == nil && ns < start.UnixNano() {
				os.Remove(path)
			}
		}
		return nil
	})
}
