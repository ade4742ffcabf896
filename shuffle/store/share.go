package store

import (
	"context"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

// longestShare is the limit of AWS Signature Version 4.
const longestShare = 7 * 24 * time.Hour

// Share returns a URL by which anybody can read the object path for the given
// time, from whole seconds up to 7 days. It is signed with the client's keys
// and dies with them; nothing else revokes it. It names the client's endpoint:
// that of an embedded store is reached from this machine only. A gate takes no
// such URLs, so the client must be the administrator's.
func (c *Client) Share(ctx context.Context, path string, life time.Duration) (string, error) {
	p, err := ParsePath(path)
	if err != nil {
		return "", err
	}
	if life < time.Second || life > longestShare {
		return "", core.Errorf(core.Invalid, "a link cannot be valid for %s", life).At(path).Do("choose from 1s to 168h")
	}
	if strings.HasPrefix(c.access.Endpoint, "unix:") {
		return "", core.Errorf(core.Invalid, "a store on a unix socket has no URLs").At(c.access.Endpoint)
	}
	if _, err := c.Stat(ctx, path); err != nil {
		return "", err
	}
	u, err := c.core.PresignedGetObject(ctx, p.Bucket, p.Key, life, nil)
	if err != nil {
		return "", classify(ctx, "share", path, err)
	}
	return u.String(), nil
}
