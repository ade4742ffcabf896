package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/minio/minio-go/v7"
)

// Upload is an unfinished multipart upload: parts that are no object yet.
type Upload struct {
	Path    string // "bucket/key"
	ID      string
	Started time.Time
}

// Uploads yields the unfinished uploads to paths that start with prefix. It
// ends with the first error; a bucket that is not there has none.
func (c *Client) Uploads(ctx context.Context, prefix string) iter.Seq2[Upload, error] {
	return func(yield func(Upload, error) bool) {
		p, err := ParsePrefix(prefix)
		if err != nil {
			yield(Upload{}, err)
			return
		}
		var at minio.ListMultipartUploadsResult
		for {
			err := c.retry(ctx, "list uploads", prefix, func(ctx context.Context) error {
				next, err := c.core.ListMultipartUploads(ctx, p.Bucket, p.Key, at.NextKeyMarker, at.NextUploadIDMarker, "", c.cfg.Page)
				if err == nil {
					at = next
				}
				return err
			})
			if errors.Is(err, ErrNotFound) {
				return
			}
			if err != nil {
				yield(Upload{}, err)
				return
			}
			for _, u := range at.Uploads {
				if !yield(Upload{Path{p.Bucket, u.Key}.String(), u.UploadID, u.Initiated}, nil) {
					return
				}
			}
			if !at.IsTruncated || len(at.Uploads) == 0 {
				return
			}
		}
	}
}

// AbortUpload takes the parts of u away. That there is no such upload is no error.
func (c *Client) AbortUpload(ctx context.Context, u Upload) error {
	p, err := ParsePath(u.Path)
	if err != nil {
		return err
	}
	return c.retry(ctx, "abort upload", u.Path, func(ctx context.Context) error {
		err := c.core.AbortMultipartUpload(ctx, p.Bucket, p.Key, u.ID)
		if err != nil && minio.ToErrorResponse(err).Code == "NoSuchUpload" {
			return nil
		}
		return err
	})
}

func (c *Client) abortUploads(ctx context.Context, prefix string) error {
	for u, err := range c.Uploads(ctx, prefix) {
		if err == nil {
			err = c.AbortUpload(ctx, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
