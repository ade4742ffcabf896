package storetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Checksum is how a raw PUT protects its body.
type Checksum string

const (
	None    Checksum = "none"    // nothing: UNSIGNED-PAYLOAD alone
	Header  Checksum = "header"  // x-amz-checksum-crc32c before the body
	Trailer Checksum = "trailer" // the same after it, as package store sends it
)

// Checksums are all ways.
var Checksums = []Checksum{None, Header, Trailer}

// Request is a signed PUT of body at path ("bucket/key", and a query for a part).
func Request(t testing.TB, access core.StoreAccess, path, query string, body []byte, sum Checksum) *http.Request {
	t.Helper()
	host := "localhost"
	if u, err := url.Parse(access.Endpoint); err == nil && u.Scheme == "http" {
		host = u.Host
	}
	r, err := http.NewRequest(http.MethodPut, "http://"+host+"/"+path+query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.GetBody = nil
	crc := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
	value := base64.StdEncoding.EncodeToString([]byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	switch sum {
	case Header:
		r.Header.Set("X-Amz-Checksum-Crc32c", value)
	case Trailer:
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		return signer.SignV4Trailer(*r, access.AccessKey, access.SecretKey, "", access.Region, http.Header{"X-Amz-Checksum-Crc32c": {value}})
	}
	return signer.SignV4(*r, access.AccessKey, access.SecretKey, "", access.Region)
}

// Raw dials the store behind access.
func Raw(t testing.TB, access core.StoreAccess) net.Conn {
	t.Helper()
	var c net.Conn
	var err error
	if path, ok := strings.CutPrefix(access.Endpoint, "unix://"); ok {
		c, err = unixsock.Dial(t.Context(), path)
	} else {
		c, err = new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(access.Endpoint, "http://"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var errDies = errors.New("the client dies here")

// dying is a body that ends with the client.
type dying struct{ io.Reader }

func (d dying) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if err == io.EOF {
		err = errDies
	}
	return n, err
}

// SendCut sends the request's head and the first part of its body, as encoded,
// then ends the sending side and returns when the server has hung up: by then
// it has done with the request whatever it does.
func SendCut(t testing.TB, c net.Conn, r *http.Request, share float64) {
	t.Helper()
	cut := int64(share * float64(r.ContentLength))
	r.Body = io.NopCloser(dying{io.LimitReader(r.Body, cut)})
	// A server may also hang up on its own, once it sees what is coming.
	if err := r.Write(struct{ io.Writer }{c}); err == nil {
		t.Fatal("the client should have died")
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	io.Copy(io.Discard, c)
	c.Close()
}

// RunCut checks that a PUT or a part that is cut off never becomes visible and
// damages nothing, whatever protects its body.
func RunCut(t *testing.T, access core.StoreAccess, prefix string) {
	access.Root = ""
	c := Open(t, access)
	old, fresh := prefix+"old", prefix+"fresh"
	good, other := Bytes(100_000, 1), Bytes(3<<20, 2)
	put(t, c, old, good)
	for _, sum := range Checksums {
		for _, share := range []float64{0, 0.01, 0.5, 0.999} {
			for _, path := range []string{old, fresh} {
				SendCut(t, Raw(t, access), Request(t, access, path, "", other, sum), share)
			}
			if got := ReadAll(t, c, old); !bytes.Equal(got, good) {
				t.Fatalf("%s, cut at %v: the old object now has %d bytes", sum, share, len(got))
			}
			if _, err := c.Stat(t.Context(), fresh); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("%s, cut at %v: a stump is visible: %v", sum, share, err)
			}
		}
	}
	t.Run("Parts", func(t *testing.T) { cutParts(t, access, prefix+"parts") })
}

// Core returns the low-level client for access on TCP.
func Core(t testing.TB, access core.StoreAccess) minio.Core {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	host := "localhost"
	if path, ok := strings.CutPrefix(access.Endpoint, "unix://"); ok {
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return unixsock.Dial(ctx, path) }
	} else {
		host = strings.TrimPrefix(access.Endpoint, "http://")
	}
	mc, err := minio.NewCore(host, &minio.Options{
		Creds: credentials.NewStaticV4(access.AccessKey, access.SecretKey, ""), Region: access.Region,
		Transport: tr, MaxRetries: 1, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *mc
}

func cutParts(t *testing.T, access core.StoreAccess, path string) {
	mc := Core(t, access)
	p, err := store.ParsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	id, err := mc.NewMultipartUpload(t.Context(), p.Bucket, p.Key, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	body := Bytes(6<<20, 3)
	for _, sum := range Checksums {
		r := Request(t, access, path, "?partNumber=1&uploadId="+id, body, sum)
		SendCut(t, Raw(t, access), r, 0.5)
		l, err := mc.ListObjectParts(t.Context(), p.Bucket, p.Key, id, 0, 100)
		if err != nil || len(l.ObjectParts) != 0 {
			t.Errorf("%s: a cut part is there: %+v, %v", sum, l.ObjectParts, err)
		}
	}
	if err := mc.AbortMultipartUpload(t.Context(), p.Bucket, p.Key, id); err != nil {
		t.Error(err)
	}
}

func put(t testing.TB, c *store.Client, path string, b []byte) {
	t.Helper()
	if _, err := c.Put(t.Context(), path, bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}
