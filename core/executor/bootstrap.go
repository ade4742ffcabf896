package executor

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Environment of an executor, set by its launcher. The directories override
// those of the bootstrap file.
const (
	BootstrapEnv = "CAPSTAN_BOOTSTRAP" // path of the bootstrap file
	SharedEnv    = "CAPSTAN_SHARED"
	ShmEnv       = "CAPSTAN_SHM"
	ScratchEnv   = "CAPSTAN_SCRATCH"
	FilesEnv     = "CAPSTAN_FILES"
)

// Bootstrap is what an executor needs to find its host and be known by it. It
// travels as a file, because environments and command lines are shown by
// every engine's inspect.
type Bootstrap struct {
	ID string `json:"id"`
	// Address is "unix:///absolute/path", "unix:name" for a socket in Shared,
	// or "tcp://host:port".
	Address    string `json:"address"`
	ServerName string `json:"serverName"` // default "capstan"
	CA         string `json:"ca"`         // PEM, CA.CertPEM
	Token      string `json:"token"`

	Shared  string `json:"shared,omitempty"`
	Shm     string `json:"shm,omitempty"`
	Scratch string `json:"scratch,omitempty"`
	Files   string `json:"files,omitempty"`
	// OrphanAfter is how long the executor lives without its host; default 15m.
	OrphanAfter core.Duration `json:"orphanAfter,omitempty"`

	path string // where it was read; removed once the token is spent
}

const defaultOrphanAfter = 15 * time.Minute

// Write puts b into a new file at path, readable by its owner only. A launcher
// whose executors run as another user hands the file over to it.
func (b Bootstrap) Write(path string) error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".bootstrap-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// ReadBootstrap reads a file that Write made. An error names the file.
func ReadBootstrap(path string) (Bootstrap, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Bootstrap{}, fmt.Errorf("read bootstrap: %w", err)
	}
	b, err := parseBootstrap(data)
	if err != nil {
		return Bootstrap{}, fmt.Errorf("bootstrap %s: %w", path, err)
	}
	return b, nil
}

func parseBootstrap(data []byte) (Bootstrap, error) {
	var b Bootstrap
	if err := json.Unmarshal(data, &b); err != nil {
		return Bootstrap{}, err
	}
	switch {
	case b.ID == "":
		return Bootstrap{}, fmt.Errorf("no id")
	case b.Token == "":
		return Bootstrap{}, fmt.Errorf("no token")
	case b.CA == "":
		return Bootstrap{}, fmt.Errorf("no ca")
	}
	if _, _, err := b.dialTarget(); err != nil {
		return Bootstrap{}, err
	}
	if b.ServerName == "" {
		b.ServerName = DefaultServerName
	}
	if b.OrphanAfter <= 0 {
		b.OrphanAfter = core.Duration(defaultOrphanAfter)
	}
	return b, nil
}

// dialTarget splits Address into a network and an address for net.Dial.
func (b Bootstrap) dialTarget() (network, address string, err error) {
	if host, ok := strings.CutPrefix(b.Address, "tcp://"); ok && host != "" {
		return "tcp", host, nil
	}
	path, ok := strings.CutPrefix(b.Address, "unix:")
	path = strings.TrimPrefix(path, "//")
	if !ok || path == "" {
		return "", "", fmt.Errorf("address %q is neither unix:PATH nor tcp://HOST:PORT", b.Address)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(directory("", SharedEnv, b.Shared), path)
	}
	return "unix", path, nil
}
