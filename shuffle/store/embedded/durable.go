package embedded

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
	"golang.org/x/sys/unix"
)

// durable is the posix backend with laws E1 to E3. Paths are relative to the
// root, which is the working directory once the backend exists.
type durable struct {
	*posix.Posix
	root    string
	folders folders
	uploads keyed
}

func newDurable(root string) (*durable, error) {
	opts := posix.PosixOpts{
		DataIntegrityEtag:   true, // MD5 would be half the cost of a PUT
		IOBufferSize:        128 << 10,
		CopyObjectThreshold: 5 << 30,
		ForceNoObjLockFile:  true, // E4 makes the locks within the process enough
		Concurrency:         maxRequests,
	}
	opts.SetNewDirPerm(0o755)
	opts.SetNewFilePerm(0o644)
	p, err := posix.New(root, meta.XattrMeta{}, opts)
	if err != nil {
		return nil, err
	}
	return &durable{Posix: p, root: root}, nil
}

func (d *durable) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	var out s3response.PutObjectOutput
	err := d.publish(value(in.Bucket), value(in.Key), func() (err error) {
		out, err = d.PutObjectWithPostFunc(ctx, in, settle(value(in.ContentLength)))
		return err
	})
	return out, err
}

func (d *durable) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	id := value(in.UploadId)
	if !validUpload(in.UploadId) {
		return nil, s3err.GetNoSuchUploadErr(id)
	}
	dir := uploadDir(value(in.Bucket), value(in.Key), id)
	done := func() {}
	defer func() { done() }()
	out, err := d.UploadPartWithPostFunc(ctx, in, func(f *os.File) error {
		if err := settle(value(in.ContentLength))(f); err != nil {
			return err
		}
		// From here on, until the part has its name, nobody ends the upload
		// (law E3): the backend would make its directory anew.
		done = d.uploads.share(id)
		return openUpload(dir, id)
	})
	if gone := openUpload(dir, id); err != nil && gone != nil {
		return nil, gone // whatever the backend missed first
	}
	if err == nil {
		// The part's attributes and name were made after its data was synced.
		err = errors.Join(syncPath(filepath.Join(dir, strconv.Itoa(int(value(in.PartNumber))))), syncPath(dir))
	}
	return out, d.explain(err)
}

func (d *durable) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	id := value(in.UploadId)
	if !validUpload(in.UploadId) {
		return s3response.CopyPartResult{}, s3err.GetNoSuchUploadErr(id)
	}
	dir := uploadDir(value(in.Bucket), value(in.Key), id)
	defer d.uploads.share(id)()
	if err := openUpload(dir, id); err != nil {
		return s3response.CopyPartResult{}, err
	}
	out, err := d.Posix.UploadPartCopy(ctx, in)
	if err == nil {
		err = errors.Join(syncPath(filepath.Join(dir, strconv.Itoa(int(value(in.PartNumber))))), syncPath(dir))
	}
	return out, d.explain(err)
}

func (d *durable) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	var res s3response.CompleteMultipartUploadResult
	var version string
	bucket, key, id := value(in.Bucket), value(in.Key), value(in.UploadId)
	if !validUpload(in.UploadId) || in.MultipartUpload == nil {
		return res, "", s3err.GetNoSuchUploadErr(id)
	}
	defer d.uploads.lock(id)()
	if !d.completable(bucket, key, id) {
		return res, "", s3err.GetNoSuchUploadErr(id)
	}
	err := d.publish(bucket, key, func() (err error) {
		res, version, err = d.CompleteMultipartUploadWithCopy(ctx, in, joinAndSync(len(in.MultipartUpload.Parts)))
		return err
	})
	return res, version, err
}

// completable reports whether the upload is open, or the object is its result.
func (d *durable) completable(bucket, key, id string) bool {
	if _, err := os.Stat(uploadDir(bucket, key, id)); err == nil {
		return true
	}
	b, err := meta.XattrMeta{}.RetrieveAttribute(nil, bucket, key, "mp-metadata")
	if err != nil {
		return false
	}
	made, err := backend.UnmarshalMpUploadMetadata(b, false)
	return err == nil && made.UploadID == id
}

func (d *durable) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	if !validUpload(in.UploadId) {
		return s3err.GetNoSuchUploadErr(value(in.UploadId))
	}
	defer d.uploads.lock(*in.UploadId)()
	return d.Posix.AbortMultipartUpload(ctx, in)
}

func (d *durable) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	res, err := d.Posix.CreateMultipartUpload(ctx, in)
	return res, d.explain(err)
}

func (d *durable) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	var out s3response.CopyObjectOutput
	err := d.publish(value(in.Bucket), value(in.Key), func() (err error) {
		out, err = d.Posix.CopyObject(ctx, in)
		return err
	})
	return out, err
}

func (d *durable) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	err := d.Posix.CreateBucket(ctx, in, acl)
	if err == nil {
		err = errors.Join(syncPath(value(in.Bucket)), syncPath("."))
	}
	return d.explain(err)
}

// publish runs write, which makes the object bucket/key, and then syncs it and
// the directories that are new.
func (d *durable) publish(bucket, key string, write func() error) error {
	object := filepath.Join(bucket, key)
	fresh := d.folders.enter(bucket, filepath.Dir(object))
	defer d.folders.leave(fresh)
	err := write()
	if err == nil {
		err = errors.Join(syncPath(object), syncPath(filepath.Dir(object)))
	}
	// Also after an error: its new directories stay, and the next object in
	// them will not take them for new.
	for _, dir := range fresh {
		if serr := syncPath(filepath.Dir(dir)); err == nil {
			err = serr
		}
	}
	return d.explain(err)
}

// errCut says that a body ended before its announced length.
var errCut = errors.New("body ended early")

// settle checks the staged file's length and syncs its data. The position, not
// the size, is how much arrived: the file is allocated at its full size first.
func settle(want int64) func(*os.File) error {
	return func(f *os.File) error {
		got, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%w: %d of %d bytes", errCut, got, want)
		}
		return f.Sync()
	}
}

// joinAndSync copies parts into one file and syncs it with the last one, while
// it has no name yet.
func joinAndSync(parts int) posix.CustomCopyFunc {
	done := 0
	return func(from, to *os.File) (bool, error) {
		if _, err := io.Copy(to, from); err != nil {
			return true, err
		}
		if done++; done < parts {
			return true, nil
		}
		return true, to.Sync()
	}
}

// explain turns what the backend returned into the S3 error it means.
func (d *durable) explain(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errCut) {
		return s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	var api s3err.S3Error
	known := errors.As(err, &api)
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if known {
		switch api.BaseError().Code {
		case s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice).Code, s3err.GetAPIError(s3err.ErrQuotaExceeded).Code:
			full = true
		case s3err.GetAPIError(s3err.ErrExistingObjectIsDirectory).Code:
			// The backend's word for any trouble at the last step.
			free, _ := diskFree(d.root)
			full = free < 1<<20
		}
	}
	if !full {
		return err
	}
	free, total := diskFree(d.root)
	return s3err.APIError{
		Code:           s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice).Code,
		Description:    fmt.Sprintf("the disk of %s has %d bytes free of %d", d.root, free, total),
		HTTPStatusCode: http.StatusInsufficientStorage,
	}
}

func diskFree(path string) (free, total uint64) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize)
}

// uploadID is what the backend makes: a UUID. The backend joins whatever it is
// given to a path, so nothing else may pass.
var uploadID = regexp.MustCompile(`^[0-9a-fA-F-]{1,64}$`)

func validUpload(id *string) bool { return id != nil && uploadID.MatchString(*id) }

// openUpload returns nil if the upload of directory dir has not ended.
func openUpload(dir, id string) error {
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s3err.GetNoSuchUploadErr(id)
	}
	return err
}

func uploadDir(bucket, key, id string) string {
	return filepath.Join(bucket, posix.MetaTmpMultipartDir, fmt.Sprintf("%x", sha256.Sum256([]byte(key))), id)
}

// syncPath syncs a file or directory. That it is gone is no error: somebody
// deleted or replaced it, and that one syncs.
func syncPath(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// folders knows which directories are being made and are not yet synced, so
// that whoever writes into one waits for its entry too.
type folders struct {
	mu       sync.Mutex
	unsynced map[string]int
}

// enter returns the directories from dir up to below bucket that are missing or
// not yet synced, and notes them.
func (f *folders) enter(bucket, dir string) (fresh []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unsynced == nil {
		f.unsynced = map[string]int{}
	}
	for ; strings.HasPrefix(dir, bucket+string(filepath.Separator)); dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil && f.unsynced[dir] == 0 {
			break
		}
		f.unsynced[dir]++
		fresh = append(fresh, dir)
	}
	return fresh
}

func (f *folders) leave(fresh []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, dir := range fresh {
		if f.unsynced[dir]--; f.unsynced[dir] == 0 {
			delete(f.unsynced, dir)
		}
	}
}
