package shuffle

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/capstan-run/capstan/shuffle/store"
)

// Uploads brings committed objects to the store in the background, a few at a
// time. Make it with [NewUploads]; it may be used from any goroutine.
type Uploads struct {
	// Failed, if set, is told of each upload that failed, from any goroutine. Else
	// Wait tells.
	Failed func(object string, err error)

	ctx   context.Context
	slots *semaphore.Weighted
	wg    sync.WaitGroup
	mu    sync.Mutex
	errs  []error
}

// NewUploads returns uploads that run at most atOnce at a time, and end with
// ctx.
func NewUploads(ctx context.Context, atOnce int) *Uploads {
	return &Uploads{ctx: ctx, slots: semaphore.NewWeighted(int64(max(atOnce, 1)))}
}

// start uploads the file at path as object. It does not wait: what is pending
// is a name and a place each.
func (u *Uploads) start(objects Objects, path, object string) {
	u.wg.Go(func() {
		err := u.slots.Acquire(u.ctx, 1)
		if err == nil {
			_, err = objects.PutFile(u.ctx, object, path, store.PutOptions{})
			u.slots.Release(1)
		}
		if err != nil {
			u.failed(object, err)
		}
	})
}

func (u *Uploads) failed(object string, err error) {
	if u.Failed != nil {
		u.Failed(object, err)
		return
	}
	u.mu.Lock()
	u.errs = append(u.errs, err)
	u.mu.Unlock()
}

// Upload begins to copy the committed file at path to the store as object
// ("bucket/key") and sets idx.Object: readers find it there once the upload is
// done.
func (u *Uploads) Upload(objects Objects, path string, idx *Index, object string) {
	u.start(objects, path, object)
	idx.Object = object
}

// Wait returns when all uploads started so far have ended, with their errors:
// the objects that failed are on the disk of this machine only.
func (u *Uploads) Wait() error {
	u.wg.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	err := errors.Join(u.errs...)
	u.errs = nil
	return err
}

// checkStore refuses a durability without what it needs of a store.
func checkStore(d Durability, objects Objects, object string, uploads *Uploads) error {
	switch d {
	case DurableStore, DurableStoreAsync:
		if objects == nil || object == "" {
			return fmt.Errorf("durability %s needs a store and a place in it", d)
		}
		if d == DurableStoreAsync && uploads == nil {
			return fmt.Errorf("durability s3-async needs uploads to run in")
		}
	}
	return nil
}

// upload brings the committed file of x to the store as d demands, now or in
// the background. An object that cannot be uploaded now is not visible at all.
func upload(ctx context.Context, path string, x *Index, d Durability, objects Objects, object string, uploads *Uploads) error {
	switch d {
	case DurableStore:
		if err := Upload(ctx, objects, path, x, object); err != nil {
			return removeAfter(path, err)
		}
	case DurableStoreAsync:
		uploads.Upload(objects, path, x, object)
	}
	return nil
}
