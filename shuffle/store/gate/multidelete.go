package gate

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"strings"

	"github.com/capstan-run/capstan/shuffle/store"
)

const (
	maxDelete     = 1000    // keys in one request, S3's own limit
	maxDeleteBody = 8 << 20 // 1000 keys of 1024 bytes, each escaped at its worst
)

type multiDelete struct {
	XMLName xml.Name    `xml:"Delete"`
	Quiet   bool        `xml:"Quiet,omitempty"`
	Objects []deleteKey `xml:"Object"`
}

type deleteKey struct {
	Key     string `xml:"Key"`
	Version string `xml:"VersionId,omitempty"`
}

// rewriteDelete checks every key of a multi-delete and puts a body of its own
// writing in the place of the one it read: two parsers never disagree on it.
func (ru rules) rewriteDelete(r *http.Request, bucket string) *refusal {
	if r.Header.Get("X-Amz-Content-Sha256") == unsignedTrailer || r.ContentLength > maxDeleteBody {
		return invalid("MalformedXML", "a multi-delete's body must be plain and at most 8 MiB")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDeleteBody))
	if err != nil || int64(len(body)) != r.ContentLength {
		return invalid("IncompleteBody", "the body ended early")
	}
	list, no := parseDelete(body)
	if no != nil {
		return no
	}
	for _, o := range list.Objects {
		p, err := store.ParsePrefix(bucket + "/" + o.Key)
		if err != nil {
			return invalid("InvalidArgument", err.Error())
		}
		if !within(ru.write, p.String()) {
			return outside(p.String())
		}
	}
	body, err = xml.Marshal(list)
	if err != nil {
		return invalid("MalformedXML", "the body cannot be written")
	}
	replaceBody(r, body)
	return nil
}

func parseDelete(body []byte) (multiDelete, *refusal) {
	var list multiDelete
	if err := xml.Unmarshal(body, &list); err != nil || len(list.Objects) == 0 || len(list.Objects) > maxDelete {
		return list, invalid("MalformedXML", "the body is no list of 1 to 1000 keys")
	}
	for _, o := range list.Objects {
		if o.Key == "" || o.Version != "" {
			return list, denied("versions are not for jobs")
		}
	}
	list.XMLName = xml.Name{Space: "http://s3.amazonaws.com/doc/2006-03-01/", Local: "Delete"}
	return list, nil
}

func replaceBody(r *http.Request, body []byte) {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Checksum-") || name == "X-Amz-Sdk-Checksum-Algorithm" {
			r.Header.Del(name)
		}
	}
	md, sha := md5.Sum(body), sha256.Sum256(body)
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(md[:]))
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sha[:]))
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}
