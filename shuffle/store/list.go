package store

import (
	"context"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
)

// List yields the objects whose paths start with prefix ("bucket/" or
// "bucket/start"), in the order of their keys' bytes, from after the path
// startAfter on ("": from the start). It ends with the first error. A page that
// was lost is asked for again; an object written or deleted meanwhile may or
// may not be seen. ETag and ContentType may be empty.
func (c *Client) List(ctx context.Context, prefix, startAfter string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		p, err := ParsePrefix(prefix)
		if err != nil {
			yield(Info{}, err)
			return
		}
		after := ""
		if startAfter != "" {
			var ok bool
			if after, ok = strings.CutPrefix(startAfter, p.Bucket+"/"); !ok {
				yield(Info{}, core.Errorf(core.Invalid, "%q is in another bucket", startAfter).At(prefix))
				return
			}
		}
		for {
			objects, more, err := c.listPage(ctx, p, after)
			if err != nil {
				yield(Info{}, err)
				return
			}
			for _, o := range objects {
				if !yield(infoOf(Path{p.Bucket, o.Key}, o), nil) {
					return
				}
			}
			if !more {
				return
			}
			after = objects[len(objects)-1].Key
		}
	}
}

func (c *Client) listPage(ctx context.Context, p Path, after string) (objects []minio.ObjectInfo, more bool, err error) {
	err = c.retry(ctx, "list", p.String(), func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		objects, more = objects[:0], false
		// One page and a bit: the iterator asks for the next page only when it
		// is drained, so breaking off at the page's end costs no request.
		for o := range c.core.ListObjectsIter(ctx, p.Bucket, minio.ListObjectsOptions{
			Prefix: p.Key, Recursive: true, StartAfter: after, MaxKeys: c.cfg.Page,
		}) {
			if o.Err != nil {
				return o.Err
			}
			objects = append(objects, o)
			if len(objects) == c.cfg.Page {
				more = true
				return nil
			}
		}
		return ctx.Err()
	})
	return objects, more, err
}

// Usage is what lies under a prefix.
type Usage struct{ Objects, Bytes int64 }

// Usage adds up the objects whose paths start with prefix.
func (c *Client) Usage(ctx context.Context, prefix string) (Usage, error) {
	var u Usage
	for o, err := range c.List(ctx, prefix, "") {
		if err != nil {
			return u, err
		}
		u.Objects++
		u.Bytes += o.Size
	}
	return u, nil
}
