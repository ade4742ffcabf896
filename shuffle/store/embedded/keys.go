package embedded

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/capstan-run/capstan/core"
)

// keys are the administrator's. They stay the same over restarts.
type keys struct {
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// keysBeside reads the keys in the file next to root, or makes them. The file
// is readable by its owner only.
func keysBeside(root string) (keys, error) {
	path := filepath.Join(filepath.Dir(root), "store-admin.json")
	var k keys
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKeys(path)
	}
	if err != nil {
		return k, err
	}
	if json.Unmarshal(b, &k) != nil || k.AccessKey == "" || k.SecretKey == "" {
		return k, core.Errorf(core.Invalid, "it holds no store keys").At(path).
			Do("delete it: new keys are made at the next start")
	}
	return k, os.Chmod(path, 0o600)
}

func makeKeys(path string) (keys, error) {
	k := keys{AccessKey: "capstan-" + rand.Text()[:12], SecretKey: rand.Text() + rand.Text()}
	b, err := json.Marshal(k)
	if err != nil {
		return k, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return k, err
	}
	// Under another name first: a crash must not leave half a file.
	tmp, err := os.CreateTemp(filepath.Dir(path), ".store-admin-*")
	if err != nil {
		return k, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncPath(filepath.Dir(path))
	}
	return k, err
}
