package store

import (
	"context"
	"errors"
	"slices"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
)

// Delete removes the object path. That it was not there is no error.
func (c *Client) Delete(ctx context.Context, path string) error {
	p, err := ParsePath(path)
	if err != nil {
		return err
	}
	err = c.retry(ctx, "delete", path, func(ctx context.Context) error {
		return c.core.RemoveObject(ctx, p.Bucket, p.Key, minio.RemoveObjectOptions{})
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// DeletePrefix removes every object whose path starts with prefix, and aborts
// the unfinished uploads there. It returns how many objects it removed. The
// prefix must name more than a bucket.
func (c *Client) DeletePrefix(ctx context.Context, prefix string) (int, error) {
	p, err := ParsePrefix(prefix)
	if err != nil {
		return 0, err
	}
	if p.Key == "" {
		return 0, core.Errorf(core.Invalid, "this would empty the bucket").At(prefix).Do("name a folder in it")
	}
	removed := 0
	for {
		// Always the first page: what it held is gone when it is asked for again.
		objects, more, err := c.listPage(ctx, p, "")
		if errors.Is(err, ErrNotFound) {
			return removed, nil
		}
		if err == nil {
			err = c.deleteBatch(ctx, p, objects)
		}
		if err != nil {
			return removed, err
		}
		removed += len(objects)
		if !more {
			return removed, c.abortUploads(ctx, prefix)
		}
	}
}

func (c *Client) deleteBatch(ctx context.Context, p Path, objects []minio.ObjectInfo) error {
	if len(objects) == 0 {
		return nil
	}
	return c.retry(ctx, "delete", p.String(), func(ctx context.Context) error {
		results, err := c.core.RemoveObjectsWithIter(ctx, p.Bucket, slices.Values(objects), minio.RemoveObjectsOptions{})
		if err != nil {
			return err
		}
		for r := range results {
			if r.Err != nil {
				err = r.Err
			}
		}
		return err
	})
}

// EnsureBucket makes the bucket unless it is there.
func (c *Client) EnsureBucket(ctx context.Context, bucket string) error {
	if why := badBucket(bucket); why != "" {
		return badPath(bucket, why)
	}
	return c.retry(ctx, "make bucket", bucket, func(ctx context.Context) error {
		if there, err := c.core.BucketExists(ctx, bucket); there || err != nil {
			return err
		}
		err := c.core.MakeBucket(ctx, bucket, minio.MakeBucketOptions{Region: c.access.Region})
		switch minio.ToErrorResponse(err).Code {
		case "BucketAlreadyOwnedByYou", "BucketAlreadyExists":
			return nil
		}
		return err
	})
}
