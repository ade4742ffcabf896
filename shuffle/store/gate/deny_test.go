package gate_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/gate"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func put(t testing.TB, c *store.Client, path, s string) {
	t.Helper()
	if _, err := c.Put(t.Context(), path, strings.NewReader(s), int64(len(s)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestGrants(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	admin := storetest.Open(t, s.Access())
	if err := admin.EnsureBucket(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"test/in/a", "test/in/b", "test/secret", "test/jobs/x/1/own", "test/jobs/x/2/later", "other/in/a"} {
		put(t, admin, path, path)
	}
	_, access := serve(t, gate.Options{
		Upstream: s.Access(), Prefix: "test/jobs/x/1/",
		Grants: []core.StoreGrant{{Prefix: "test/in/"}, {Prefix: "test/out/", Write: true}},
	})
	c := storetest.Open(t, access)

	for _, path := range []string{"test/in/a", "test/jobs/x/1/own"} {
		if got := storetest.ReadAll(t, c, path); string(got) != path {
			t.Errorf("%s: %q", path, got)
		}
	}
	put(t, c, "test/jobs/x/1/new", "n")
	put(t, c, "test/out/new", "n")
	if u, err := c.Usage(t.Context(), "test/in/"); err != nil || u.Objects != 2 {
		t.Errorf("usage %+v, %v", u, err)
	}

	tries := map[string]func() error{
		"read elsewhere":   func() error { _, _, err := c.Get(t.Context(), "test/secret", 0, -1); return err },
		"stat elsewhere":   func() error { _, err := c.Stat(t.Context(), "test/secret"); return err },
		"other bucket":     func() error { _, _, err := c.Get(t.Context(), "other/in/a", 0, -1); return err },
		"later attempt":    func() error { _, _, err := c.Get(t.Context(), "test/jobs/x/2/later", 0, -1); return err },
		"absent elsewhere": func() error { _, err := c.Stat(t.Context(), "test/nothing"); return err },
		"write to a read grant": func() error {
			_, err := c.Put(t.Context(), "test/in/a", strings.NewReader("x"), 1, store.PutOptions{})
			return err
		},
		"delete in a read grant": func() error { return c.Delete(t.Context(), "test/in/a") },
		"delete prefix":          func() error { _, err := c.DeletePrefix(t.Context(), "test/in/"); return err },
		"list above":             func() error { _, err := c.Usage(t.Context(), "test/i"); return err },
		"list all":               func() error { _, err := c.Usage(t.Context(), "test/"); return err },
		"make a bucket":          func() error { return c.EnsureBucket(t.Context(), "mine") },
		"commit elsewhere":       func() error { return c.Commit(t.Context(), "test/jobs/x/2/_MANIFEST", []byte("{}")) },
		"multipart elsewhere": func() error {
			_, err := c.Put(t.Context(), "test/big", io.NewSectionReader(bytes.NewReader(nil), 0, 1<<30), 1<<30, store.PutOptions{})
			return err
		},
	}
	for name, try := range tries {
		if err := try(); !errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrFenced) || core.KindOf(err) != core.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{"test/in/a", "test/in/b"} {
		if got := storetest.ReadAll(t, admin, path); string(got) != path {
			t.Errorf("%s is now %q", path, got)
		}
	}
}

// raw sends a signed request and returns status and body.
func raw(t *testing.T, access core.StoreAccess, method, path string, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, access.Endpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(signer.SignV4(*r, access.AccessKey, access.SecretKey, "", access.Region))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestOddRequests(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	admin := storetest.Open(t, s.Access())
	put(t, admin, "test/secret", "s")
	put(t, admin, "test/job/a", "a")
	_, access := serve(t, gate.Options{Upstream: s.Access(), Prefix: "test/job/"})
	for _, q := range []struct {
		method, path, body string
		headers            []string
		want               int
	}{
		{"GET", "/test/job/a", "", nil, 200},
		{"GET", "/", "", nil, 400},
		{"GET", "/test/job/../secret", "", nil, 400},
		{"GET", "/test/job/%2e%2e/secret", "", nil, 400},
		{"GET", "/test/job//a", "", nil, 400},
		{"GET", "/test/job/a?acl", "", nil, 403},
		{"GET", "/test/job/a?versionId=x", "", nil, 403},
		{"GET", "/test/job/a?tagging", "", nil, 403},
		{"PUT", "/test/job/a?acl", "<x/>", nil, 403},
		{"PUT", "/test/job/a?partNumber=1", "x", nil, 403},
		{"PUT", "/test/job/a?partNumber=1&uploadId=../../../..", "x", nil, 404},
		{"DELETE", "/test/job/a?uploadId=..%2f..", "", nil, 404},
		{"POST", "/test/job/a?uploads&uploadId=1", "", nil, 403},
		{"GET", "/test?list-type=2&prefix=job/&prefix=secret", "", nil, 403},
		{"GET", "/test?prefix=job/", "", nil, 403},
		{"GET", "/test?list-type=2", "", nil, 403},
		{"GET", "/test?policy", "", nil, 403},
		{"PUT", "/test?policy", "{}", nil, 403},
		{"DELETE", "/test", "", nil, 403},
		{"PUT", "/newbucket", "", nil, 403},
		{"PATCH", "/create-user", "", nil, 403},
		{"PATCH", "/test/job/a", "", nil, 403},
		{"PUT", "/test/job/b", "", []string{"X-Amz-Copy-Source", "/test/secret"}, 403},
		{"PUT", "/test/job/b", "", []string{"X-Amz-Copy-Source", "test%2Fjob%2F..%2Fsecret"}, 400},
		{"PUT", "/test/job/b", "", []string{"X-Amz-Copy-Source", "/test/job/a?versionId=1"}, 400},
		{"PUT", "/test/job/b", "", []string{"X-Amz-Copy-Source", "/test/job/a"}, 200},
		{"PUT", "/test/job/c", "x", []string{"X-Amz-Acl", "public-read"}, 403},
		{"PUT", "/test/job/c", "x", []string{"X-Amz-Object-Lock-Mode", "COMPLIANCE"}, 403},
		{"PUT", "/test/job/c", "x", []string{"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, 501},
		{"POST", "/test?delete", "<Delete><Object><Key>secret</Key></Object></Delete>", nil, 403},
		{"POST", "/test?delete", "<Delete><Object><Key>job/a</Key></Object><Object><Key>job/../secret</Key></Object></Delete>", nil, 400},
		{"POST", "/test?delete", "<Delete><Object><Key>job/a</Key><VersionId>1</VersionId></Object></Delete>", nil, 403},
		{"POST", "/test?delete", "<Delete>", nil, 400},
		{"POST", "/test?delete", "<Delete><Object><Key>job/b</Key></Object></Delete>", nil, 200},
	} {
		status, body := raw(t, access, q.method, q.path, q.body, q.headers...)
		if status != q.want {
			t.Errorf("%s %s %v: %d, want %d: %s", q.method, q.path, q.headers, status, q.want, body)
		}
		if strings.Contains(body, s.Access().AccessKey) {
			t.Errorf("%s %s: the answer shows the real key", q.method, q.path)
		}
	}
	if _, err := admin.Stat(t.Context(), "test/job/b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the copy should be deleted: %v", err)
	}
	for _, path := range []string{"test/secret", "test/job/a"} {
		if _, err := admin.Stat(t.Context(), path); err != nil {
			t.Error(err)
		}
	}
}

func TestSignatures(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	put(t, storetest.Open(t, s.Access()), "test/job/a", "a")
	g, access := serve(t, gate.Options{Upstream: s.Access(), Prefix: "test/job/"})
	for name, change := range map[string]func(*core.StoreAccess){
		"secret":       func(a *core.StoreAccess) { a.SecretKey = "guess" },
		"key":          func(a *core.StoreAccess) { a.AccessKey = "guess" },
		"none":         func(a *core.StoreAccess) { a.AccessKey, a.SecretKey = "", "" },
		"region":       func(a *core.StoreAccess) { a.Region = "eu-west-1" },
		"real store's": func(a *core.StoreAccess) { r := s.Access(); a.AccessKey, a.SecretKey = r.AccessKey, r.SecretKey },
	} {
		a := access
		change(&a)
		if _, err := storetest.Open(t, a).Stat(t.Context(), "test/job/a"); !errors.Is(err, store.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := storetest.Request(t, access, "test/job/a", "", []byte("x"), storetest.None)
	r.Header.Set("X-Amz-Copy-Source", "/test/job/other") // added under way
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("an unsigned header passed: %s", resp.Status)
	}
	if g.Stats().Denied == 0 {
		t.Error("nothing was counted as denied")
	}
}

func TestStoreIsAway(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	up := s.Access()
	_, access := serve(t, gate.Options{Upstream: up, Prefix: "test/job/"})
	s.Close()
	c, err := store.Config{Budget: -1}.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Stat(t.Context(), "test/job/a"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("stat while the store is away: %v", err)
	}
}
