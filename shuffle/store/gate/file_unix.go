//go:build unix

package gate

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// plainAttributes are all that a simple object has beside its bytes. One with
// more is served by the store, which knows what to say of it.
var plainAttributes = []string{"user.etag", "user.content-type", "user.checksums", "user.mp-metadata"}

// attributes returns the ETag, in its quotes, and content type of a plain object.
func attributes(f *os.File) (etag, contentType string, ok bool) {
	var names [512]byte
	n, err := unix.Flistxattr(int(f.Fd()), names[:])
	if err != nil {
		return "", "", false
	}
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		if name == "user.content-encoding" && attribute(f, name) == "aws-chunked" {
			continue // how the body came, which the server keeps for the object's own
		}
		if strings.HasPrefix(name, "user.") && !contains(plainAttributes, name) {
			return "", "", false
		}
	}
	etag, contentType = attribute(f, "user.etag"), attribute(f, "user.content-type")
	return etag, contentType, etag != ""
}

func attribute(f *os.File, name string) string {
	var buf [512]byte
	n, err := unix.Fgetxattr(int(f.Fd()), name, buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}
