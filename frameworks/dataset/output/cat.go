package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Open opens the stored bytes of one part of a committed result, placed or
// still staged. url is where the manifest was read from.
func Open(ctx context.Context, st Store, url string, p ManifestPart) (io.ReadCloser, error) {
	d, err := parseDest(url)
	if err != nil {
		return nil, err
	}
	r, err := d.open(ctx, st, p.Path)
	if p.Staged != "" && errors.Is(err, store.ErrNotFound) {
		return stage(ctx, st, p.Staged)
	}
	return r, err
}

// Cat writes all rows of the result at url to w, as text, in the order of its
// parts. Parquet and Arrow rows come as in text output; CSV and JSON as stored,
// so that a CSV header precedes each part's rows.
func Cat(ctx context.Context, st Store, url string, w io.Writer) error {
	m, err := ReadManifest(ctx, st, url)
	if err != nil {
		return err
	}
	for _, p := range m.Parts {
		if p.Kind != Result {
			continue
		}
		if err := catPart(ctx, st, url, m, p, w); err != nil {
			return err
		}
	}
	return nil
}

func catPart(ctx context.Context, st Store, url string, m Manifest, p ManifestPart, w io.Writer) error {
	if m.Format == "parquet" || m.Format == "arrow" {
		return catRecords(ctx, st, url, m, p, w)
	}
	r, err := Open(ctx, st, url, p)
	if err != nil {
		return catError(url, p, err)
	}
	defer r.Close()
	var plain io.Reader = r
	switch m.Compression {
	case "gzip":
		plain, err = gzip.NewReader(r)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1)); err == nil {
			defer z.Close()
			plain = z
		}
	}
	if err == nil {
		_, err = io.Copy(w, plain)
	}
	return catError(url, p, err)
}

// catRecords reads a columnar part as a job would, and writes it as text.
func catRecords(ctx context.Context, st Store, url string, m Manifest, p ManifestPart, w io.Writer) error {
	d, err := parseDest(url)
	if err != nil {
		return err
	}
	f := input.File{URL: "s3://" + d.prefix + "/" + p.Path, Size: p.Bytes}
	if d.local() {
		f.URL = input.FileURL(d.dir + "/" + p.Path)
	} else if _, err := st.Stat(ctx, d.prefix+"/"+p.Path); errors.Is(err, store.ErrNotFound) && p.Staged != "" {
		f.URL = "s3://" + p.Staged
	}
	o := input.Options{Format: m.Format}
	if st != nil {
		o.Store = st
	}
	r := input.NewRecordReader(input.Split{Ranges: []input.Range{{File: f, Length: f.Size}}}, o)
	defer r.Close()
	text, err := NewText(w, "none")
	if err != nil {
		return err
	}
	for {
		rec, _, err := r.Next(ctx)
		if err == io.EOF {
			return text.Close()
		}
		if err != nil {
			return catError(url, p, err)
		}
		err = text.Write(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

func catError(url string, p ManifestPart, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrNotFound) {
		return core.Errorf(core.NotFound, "part %s of the result is gone", p.Path).At(url).Do("run the job again")
	}
	return fmt.Errorf("read part %s of %s: %w", p.Path, url, err)
}
