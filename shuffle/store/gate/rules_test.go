package gate

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// Whatever is asked, what goes on stays within the grants.
func FuzzRules(f *testing.F) {
	for _, s := range []struct{ method, target, source, body string }{
		{"GET", "/bkt/own/a", "", ""},
		{"GET", "/bkt?list-type=2&prefix=own/x", "", ""},
		{"PUT", "/bkt/own/a?partNumber=1&uploadId=x", "/bkt/in/b", ""},
		{"POST", "/bkt?delete", "", "<Delete><Object><Key>own/a</Key></Object></Delete>"},
		{"DELETE", "/bkt/own/..%2fin/a", "", ""},
		{"HEAD", "//bkt/own/%00", "bkt/own/../secret", ""},
	} {
		f.Add(s.method, s.target, s.source, s.body)
	}
	ru, err := newRules("bkt/own/", []core.StoreGrant{{Prefix: "bkt/in/"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, source, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" {
			return
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		if source != "" {
			r.Header.Set("X-Amz-Copy-Source", source)
		}
		if ru.allow(r) != nil {
			return
		}
		out, err := url.ParseRequestURI(r.URL.RequestURI())
		if err != nil || out.Path != r.URL.Path {
			t.Fatalf("goes on as %v: %v", r.URL, err)
		}
		path, query := strings.TrimPrefix(out.Path, "/"), out.Query()
		writes := method != "GET" && method != "HEAD"
		ok := strings.HasPrefix(path, "bkt/own/") || !writes && strings.HasPrefix(path, "bkt/in/")
		if path == "bkt/" {
			listed := query.Get("prefix")
			ok = strings.HasPrefix(listed, "own/") || strings.HasPrefix(listed, "in/") || method == "HEAD" || query.Has("location") || query.Has("delete")
		}
		if !ok || strings.Contains(path, "..") && strings.Contains("/"+path+"/", "/../") {
			t.Fatalf("%s %q goes on as %v", method, target, out)
		}
		if query.Has("delete") {
			b, _ := io.ReadAll(r.Body)
			list, no := parseDelete(b)
			if no != nil {
				t.Fatalf("%q goes on as %q: %v", body, b, no)
			}
			for _, o := range list.Objects {
				if !strings.HasPrefix(o.Key, "own/") {
					t.Fatalf("%q deletes %q", body, o.Key)
				}
			}
		}
		if src := r.Header.Get("X-Amz-Copy-Source"); src != "" {
			p, err := url.PathUnescape(src)
			if err != nil || !strings.HasPrefix(p, "/bkt/own/") && !strings.HasPrefix(p, "/bkt/in/") || strings.Contains(p+"/", "/../") {
				t.Fatalf("copies from %q", src)
			}
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")
	f.Add("AWS4-HMAC-SHA256 ,,=")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseAuthorization(s)
		if ok && (a.access == "" || a.signature == "" || len(a.signed) == 0) {
			t.Fatalf("%q: %+v", s, a)
		}
	})
}
