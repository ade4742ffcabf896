package work

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// tokenFile holds what names a gang's shared folder.
const tokenFile = "stream-host"

// hostToken is the same for all executors that share the folder dir, and only
// for those.
func hostToken(dir string) (string, error) {
	path := filepath.Join(dir, tokenFile)
	for {
		b, err := os.ReadFile(path)
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", tokenError(dir, err)
		}
		if err := makeToken(dir, path); err != nil {
			return "", tokenError(dir, err)
		}
	}
}

// makeToken makes the file whole, or leaves it to whoever was faster.
func makeToken(dir, path string) error {
	f, err := os.CreateTemp(dir, tokenFile+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(rand.Text())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func tokenError(dir string, err error) error {
	return &core.Error{Kind: core.Internal, What: "the gang's shared folder cannot be used", Where: dir, Err: err,
		Remedy: "look at the disk that holds Capstan's state"}
}
