package store

import (
	"testing"

	"github.com/capstan-run/capstan/core"
)

func TestEndpoints(t *testing.T) {
	for _, s := range []string{"http://127.0.0.1:9000", "https://s3.example.com", "http://h:1/", "unix:///run/s.sock"} {
		c, err := Open(core.StoreAccess{Endpoint: s, AccessKey: "a", SecretKey: "s"})
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		c.Close()
	}
	for _, s := range []string{"", "127.0.0.1:9000", "ftp://h", "http://", "unix://relative", "http://h/path", "http://u:p@h", "http://h?q"} {
		if _, err := Open(core.StoreAccess{Endpoint: s}); core.KindOf(err) != core.Invalid || core.AsError(err).Remedy == "" {
			t.Errorf("%q: %v", s, err)
		}
	}
}
