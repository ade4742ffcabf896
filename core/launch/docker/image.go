package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"github.com/capstan-run/capstan/core"
)

const (
	nobody    = 65532 // the uid and gid "nonroot", as in distroless images
	baseRepo  = "capstan/base"
	labelBase = "capstan.base" // content hash of a base image
)

// baseImage is the built-in image: a few directories and the names of two
// users. Its tag is the hash of its content, so a changed one has a new name.
type baseImage struct {
	tar []byte
	tag string // "capstan/base:0123456789abcdef"

	mu   sync.Mutex
	have bool // seen on the engine; create finds out if that has changed
}

// makeBase builds the image's content. The links are the userland's
// ("/bin" → "usr/bin"): they have to be in the image, since a mount cannot be
// a link.
func makeBase(u userland) baseImage {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, dir := range []string{
		"capstan", "capstan/gang", "capstan/scratch", "capstan/files",
		"dev", "etc", "proc", "sys", "tmp", "usr", "var", "var/tmp",
	} {
		mode := int64(0o755)
		if strings.HasSuffix(dir, "tmp") {
			mode = 0o1777
		}
		put(w, tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: mode}, "")
	}
	for _, link := range u.links {
		put(w, tar.Header{Typeflag: tar.TypeSymlink, Name: strings.TrimPrefix(link.path, "/"), Linkname: link.target, Mode: 0o777}, "")
	}
	put(w, tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, fmt.Sprintf(
		"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/capstan/scratch:/sbin/nologin\n", nobody, nobody))
	put(w, tar.Header{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644}, fmt.Sprintf(
		"root:x:0:\nnonroot:x:%d:\n", nobody))
	// A name of several hosts is all of them, as distributions have it.
	put(w, tar.Header{Typeflag: tar.TypeReg, Name: "etc/host.conf", Mode: 0o644}, "multi on\n")
	if err := w.Close(); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	sum := sha256.Sum256(buf.Bytes())
	return baseImage{tar: buf.Bytes(), tag: baseRepo + ":" + hex.EncodeToString(sum[:8])}
}

func put(w *tar.Writer, h tar.Header, body string) {
	h.Size = int64(len(body))
	h.Format = tar.FormatUSTAR
	if err := w.WriteHeader(&h); err != nil {
		panic(err) // the headers are ours
	}
	if _, err := io.WriteString(w, body); err != nil {
		panic(err)
	}
}

// needBase imports the built-in image where the engine lacks it. With again it
// does not trust an earlier look.
func (l *Launcher) needBase(ctx context.Context, again bool) error {
	b := &l.base
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.have && !again {
		return nil
	}
	_, err := l.engine.ImageInspect(ctx, b.tag)
	if cerrdefs.IsNotFound(err) {
		err = l.importBase(ctx)
	}
	if err != nil {
		return l.engineError("import the built-in image", err).At(b.tag)
	}
	b.have = true
	return nil
}

func (l *Launcher) importBase(ctx context.Context) error {
	ctx, cancel := call(ctx)
	defer cancel()
	hash := l.base.tag[strings.IndexByte(l.base.tag, ':')+1:]
	answer, err := l.engine.ImageImport(ctx,
		image.ImportSource{Source: bytes.NewReader(l.base.tar), SourceName: "-"}, l.base.tag,
		image.ImportOptions{Message: "made by capstan", Changes: []string{"LABEL " + labelBase + "=" + hash}})
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer) // done when the answer ends
	return err
}

// needImages makes sure that every image of a set is on the engine, pulling a
// user's image that is not.
func (l *Launcher) needImages(ctx context.Context, refs []string) error {
	slices.Sort(refs)
	for _, ref := range slices.Compact(refs) {
		if ref == l.base.tag {
			if err := l.needBase(ctx, false); err != nil {
				return err
			}
			continue
		}
		if err := l.needUserImage(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

func (l *Launcher) needUserImage(ctx context.Context, ref string) error {
	_, err := l.engine.ImageInspect(ctx, ref)
	if err == nil {
		return nil
	}
	if !cerrdefs.IsNotFound(err) {
		return l.engineError("look at the image", err).At("image " + ref)
	}
	answer, err := l.engine.ImagePull(ctx, ref, image.PullOptions{})
	if err == nil {
		_, err = io.Copy(io.Discard, answer)
		answer.Close()
	}
	// A pull reports its faults within the answer: looking again is the check.
	if _, missing := l.engine.ImageInspect(ctx, ref); missing == nil {
		return nil
	} else if err == nil {
		err = missing
	}
	return (&core.Error{Kind: core.NotFound, What: "the image is not on this machine and cannot be pulled", Err: err}).
		At("image " + ref).Do("check its name, or bring it here: docker pull " + ref + " (or docker load)")
}
