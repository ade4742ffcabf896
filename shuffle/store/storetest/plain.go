package storetest

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Plain is minio-go alone, as fast as its own options make it: what package
// store is measured against.
type Plain struct{ c *minio.Client }

// OpenPlain returns a client of the store behind access, on TCP, for the test's life.
func OpenPlain(t testing.TB, access core.StoreAccess) Plain {
	t.Helper()
	u, err := url.Parse(access.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := minio.DefaultTransport(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(access.AccessKey, access.SecretKey, ""), Region: access.Region,
		Transport: transport, BucketLookup: minio.BucketLookupPath, TrailingHeaders: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return Plain{c}
}

// Put writes b by one request.
func (p Plain) Put(ctx context.Context, path string, b []byte) error {
	o, err := store.ParsePath(path)
	if err == nil {
		_, err = p.c.PutObject(ctx, o.Bucket, o.Key, bytes.NewReader(b), int64(len(b)), minio.PutObjectOptions{
			DisableContentSha256: true, DisableMultipart: true, Checksum: minio.ChecksumFullObjectCRC32C,
		})
	}
	return err
}

// Get reads the object into w.
func (p Plain) Get(ctx context.Context, path string, w io.Writer) error {
	o, err := store.ParsePath(path)
	if err != nil {
		return err
	}
	r, err := p.c.GetObject(ctx, o.Bucket, o.Key, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}
