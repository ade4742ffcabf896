package store

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Commit writes manifest as the object path if nobody has yet: the one step
// that makes an output visible (law S2). It returns nil when the object now
// holds exactly these bytes, whoever put them there, and ErrExists when it
// holds others. So writers that must not be taken for each other put something
// of their own (the epoch) into the manifest.
//
// An error other than ErrExists and ErrDenied leaves it open whether the
// commit happened: call Commit again with the same bytes.
func (c *Client) Commit(ctx context.Context, path string, manifest []byte) error {
	_, err := c.Put(ctx, path, bytes.NewReader(manifest), int64(len(manifest)), PutOptions{IfNoneMatch: true, ContentType: "application/json"})
	if !errors.Is(err, ErrExists) {
		return err
	}
	r, info, gerr := c.Get(ctx, path, 0, -1)
	if gerr != nil {
		return gerr
	}
	defer r.Close()
	if info.Size != int64(len(manifest)) {
		return err
	}
	there, gerr := io.ReadAll(r)
	if gerr != nil {
		return gerr
	}
	if !bytes.Equal(there, manifest) {
		return err
	}
	return nil
}
