package gate

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/capstan-run/capstan/core"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	skew       = 15 * time.Minute
)

// verify checks the header signature of r (AWS Signature Version 4) against the
// attempt's keys.
func verify(r *http.Request, keys core.StoreAccess, now time.Time) *refusal {
	a, ok := parseAuthorization(r.Header.Get("Authorization"))
	if !ok {
		return denied("the request is not signed")
	}
	when, err := time.Parse(timeFormat, r.Header.Get("X-Amz-Date"))
	if err != nil || now.Sub(when).Abs() > skew {
		return &refusal{http.StatusForbidden, "RequestTimeTooSkewed", "the request's date is not now"}
	}
	scope := when.Format("20060102") + "/" + keys.Region + "/s3/aws4_request"
	if a.access != keys.AccessKey || a.scope != scope {
		return &refusal{http.StatusForbidden, "InvalidAccessKeyId", "the access key is not this attempt's"}
	}
	if !slices.Contains(a.signed, "host") {
		return &refusal{http.StatusForbidden, "SignatureDoesNotMatch", "the host is not signed"}
	}
	// What the gate acts on must be covered, or it could be changed under way.
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && !slices.Contains(a.signed, strings.ToLower(name)) {
			return &refusal{http.StatusForbidden, "SignatureDoesNotMatch", "the header " + name + " is not signed"}
		}
	}
	want := signature(r, a.signed, scope, keys.SecretKey, when)
	if subtle.ConstantTimeCompare([]byte(want), []byte(a.signature)) != 1 {
		return &refusal{http.StatusForbidden, "SignatureDoesNotMatch", "the signature is wrong"}
	}
	return nil
}

type authorization struct {
	access, scope string
	signed        []string
	signature     string
}

func parseAuthorization(s string) (a authorization, ok bool) {
	rest, ok := strings.CutPrefix(s, algorithm+" ")
	if !ok {
		return a, false
	}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			a.access, a.scope, _ = strings.Cut(value, "/")
		case "SignedHeaders":
			a.signed = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		default:
			return a, false
		}
	}
	return a, a.access != "" && a.scope != "" && len(a.signed) > 0 && slices.IsSorted(a.signed) && a.signature != ""
}

func signature(r *http.Request, signed []string, scope, secret string, when time.Time) string {
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" {
		payload = unsigned
	}
	var headers strings.Builder
	for _, name := range signed {
		headers.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	canonical := strings.Join([]string{
		r.Method,
		s3utils.EncodePath(r.URL.Path),
		strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"),
		headers.String(),
		strings.Join(signed, ";"),
		payload,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{algorithm, when.Format(timeFormat), scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
