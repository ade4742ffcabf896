package gate

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/shuffle/store"
)

// refusal is an S3 error of the gate's own.
type refusal struct {
	status  int
	code    string
	message string
}

func denied(why string) *refusal { return &refusal{http.StatusForbidden, "AccessDenied", why} }

func outside(path string) *refusal {
	return denied("the job was not granted " + path)
}

func invalid(code, why string) *refusal { return &refusal{http.StatusBadRequest, code, why} }

func fenced() *refusal {
	return &refusal{http.StatusForbidden, store.CodeFenced, "the attempt is over; a newer one may have taken its place"}
}

func expired(at time.Time) *refusal {
	return &refusal{http.StatusForbidden, store.CodeExpired, "the grants ended at " + at.UTC().Format(time.RFC3339)}
}

func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	g.denied.Add(1)
	answer(w, r, no)
}

func answer(w http.ResponseWriter, r *http.Request, no *refusal) {
	body, err := xml.Marshal(struct {
		XMLName  xml.Name `xml:"Error"`
		Code     string
		Message  string
		Resource string
	}{Code: no.code, Message: no.message, Resource: r.URL.Path})
	if err != nil {
		body = nil // a path that is no XML text
	}
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	// HEAD has no body to say it in; minio-go reads these.
	h.Set("X-Minio-Error-Code", no.code)
	h.Set("X-Minio-Error-Desc", strconv.QuoteToASCII(no.message))
	w.WriteHeader(no.status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// upstreamFailed answers a request whose way to the store broke.
func (g *Gate) upstreamFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errFenced) || errors.Is(contextCause(r), errFenced) {
		g.refuse(w, r, fenced())
		return
	}
	answer(w, r, &refusal{http.StatusServiceUnavailable, "ServiceUnavailable", "the gate cannot reach the store"})
}
