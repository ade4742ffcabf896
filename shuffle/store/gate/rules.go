package gate

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// rules are the prefixes of one attempt. Each is "bucket/start-of-key".
type rules struct{ read, write []string }

func newRules(own string, grants []core.StoreGrant) (rules, error) {
	var r rules
	if own != "" {
		grants = append([]core.StoreGrant{{Prefix: own, Write: true}}, grants...)
	}
	for _, g := range grants {
		p, err := store.ParsePrefix(g.Prefix)
		if err != nil {
			return r, err
		}
		r.read = append(r.read, p.String())
		if g.Write {
			r.write = append(r.write, p.String())
		}
	}
	return r, nil
}

func within(prefixes []string, path string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

func (ru rules) bucketKnown(bucket string) bool {
	for _, p := range ru.read {
		if strings.HasPrefix(p, bucket+"/") {
			return true
		}
	}
	return false
}

// call is a request the gate understands: a method, on an object or a bucket,
// told apart by query parameters.
type call struct {
	method string
	object bool
	marks  []string // query parameters that must be there and are the call's name
	query  []string // others that may be there
	write  bool
}

// calls is the whole S3 an attempt has (law G1).
var calls = []call{
	{method: "GET", object: true, query: []string{"x-id", "partNumber"}},
	{method: "HEAD", object: true, query: []string{"x-id", "partNumber"}},
	{method: "PUT", object: true, query: []string{"x-id"}, write: true},
	{method: "DELETE", object: true, query: []string{"x-id"}, write: true},
	{method: "POST", object: true, marks: []string{"uploads"}, query: []string{"x-id"}, write: true},
	{method: "PUT", object: true, marks: []string{"partNumber", "uploadId"}, query: []string{"x-id"}, write: true},
	{method: "POST", object: true, marks: []string{"uploadId"}, query: []string{"x-id"}, write: true},
	{method: "DELETE", object: true, marks: []string{"uploadId"}, query: []string{"x-id"}, write: true},
	{method: "GET", object: true, marks: []string{"uploadId"}, query: []string{"x-id", "max-parts", "part-number-marker", "encoding-type"}, write: true},
	{method: "HEAD"},
	{method: "GET", marks: []string{"location"}},
	{method: "GET", marks: []string{"list-type"}, query: []string{"prefix", "delimiter", "start-after", "continuation-token", "max-keys", "encoding-type", "fetch-owner", "x-id"}},
	{method: "GET", marks: []string{"uploads"}, query: []string{"prefix", "delimiter", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"}, write: true},
	{method: "POST", marks: []string{"delete"}, query: []string{"x-id"}, write: true},
}

// headers are the x-amz-* headers that pass; one that ends with a dash stands
// for all that start so.
var headers = []string{
	"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer", "X-Amz-User-Agent",
	"X-Amz-Checksum-", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Meta-", "X-Amz-Mp-Object-Size",
	"X-Amz-Copy-Source", "X-Amz-Copy-Source-If-", "X-Amz-Copy-Source-Range", "X-Amz-Metadata-Directive",
}

// allow decides on r. It replaces r's query by what was understood, and a
// multi-delete's body by the keys that were checked.
func (ru rules) allow(r *http.Request) *refusal {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	p, err := store.ParsePrefix(bucket + "/" + key)
	if err != nil {
		return invalid("InvalidURI", err.Error())
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("InvalidArgument", "the query cannot be parsed")
	}
	c, no := find(r.Method, key != "", query)
	if no != nil {
		return no
	}
	if no := plainRequest(r, query); no != nil {
		return no
	}
	if no := ru.reach(c, p, query); no != nil {
		return no
	}
	if no := ru.source(r); no != nil {
		return no
	}
	if query.Has("delete") {
		if no := ru.rewriteDelete(r, p.Bucket); no != nil {
			return no
		}
	}
	r.URL.Path = "/" + p.String()
	r.URL.RawPath = s3utils.EncodePath(r.URL.Path)
	r.URL.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return nil
}

// find returns the call that r is.
func find(method string, object bool, query url.Values) (call, *refusal) {
	for _, c := range calls {
		if c.method == method && c.object == object && c.fits(query) {
			return c, nil
		}
	}
	return call{}, denied("this call is not for jobs")
}

func (c call) fits(query url.Values) bool {
	for _, m := range c.marks {
		if !query.Has(m) {
			return false
		}
	}
	for name, values := range query {
		if len(values) != 1 || !contains(c.marks, name) && !contains(c.query, name) {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// plainRequest refuses headers, encodings and upload IDs the gate cannot vouch for.
func plainRequest(r *http.Request, query url.Values) *refusal {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && !headerPasses(name) {
			return denied("the header " + name + " is not for jobs")
		}
	}
	if r.ContentLength < 0 {
		return &refusal{http.StatusLengthRequired, "MissingContentLength", "a body needs a Content-Length"}
	}
	switch sum := r.Header.Get("X-Amz-Content-Sha256"); {
	case sum == "", sum == unsigned, sum == unsignedTrailer, len(sum) == 64:
	default:
		return &refusal{http.StatusNotImplemented, "NotImplemented",
			"this gate takes no signed chunks: send UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
	}
	// Stores have been seen to join an upload's ID to a path.
	if id := query.Get("uploadId"); strings.ContainsAny(id, "/\\\x00") || strings.Contains(id, "..") || len(id) > 1024 || query.Has("uploadId") && id == "" {
		return &refusal{http.StatusNotFound, "NoSuchUpload", "there is no such upload"}
	}
	return nil
}

func headerPasses(name string) bool {
	for _, h := range headers {
		if name == h || strings.HasSuffix(h, "-") && strings.HasPrefix(name, h) {
			return true
		}
	}
	return false
}

// reach refuses a call outside the grants.
func (ru rules) reach(c call, p store.Path, query url.Values) *refusal {
	prefixes := ru.read
	if c.write {
		prefixes = ru.write
	}
	switch {
	case c.object:
		if !within(prefixes, p.String()) {
			return outside(p.String())
		}
	case contains(c.marks, "list-type"), contains(c.marks, "uploads"):
		if path := p.Bucket + "/" + query.Get("prefix"); !within(prefixes, path) {
			return outside(path)
		}
	case !ru.bucketKnown(p.Bucket):
		return outside(p.Bucket)
	}
	return nil
}

// source refuses a copy from outside the grants, and writes its header anew.
func (ru rules) source(r *http.Request) *refusal {
	src := r.Header.Values("X-Amz-Copy-Source")
	if len(src) == 0 {
		return nil
	}
	raw, err := url.PathUnescape(src[0])
	if err != nil || len(src) > 1 || r.Method != http.MethodPut || strings.Contains(src[0], "?") {
		return invalid("InvalidArgument", "the copy source cannot be parsed")
	}
	p, err := store.ParsePath(strings.TrimPrefix(raw, "/"))
	if err != nil {
		return invalid("InvalidArgument", err.Error())
	}
	if !within(ru.read, p.String()) {
		return outside(p.String())
	}
	r.Header.Set("X-Amz-Copy-Source", s3utils.EncodePath("/"+p.String()))
	return nil
}
