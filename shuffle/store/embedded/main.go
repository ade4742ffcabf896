package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/embedgw"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
)

const (
	region         = "us-east-1"
	healthPath     = "/-health"
	maxConnections = 8192
	maxRequests    = 4096
	maxConfig      = 64 << 10
	goodbye        = 5 * time.Second // for requests under way when the leash is let go
	lockPatience   = 15 * time.Second
)

// config is what the parent writes on the child's stdin, as one line of JSON.
type config struct {
	Root      string `json:"root"`
	Address   string `json:"address"` // "127.0.0.1:port"
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// report is what the child writes on its stdout, as one line of JSON, when it
// serves or has given up. Other lines are to be ignored.
type report struct {
	Ready   bool        `json:"ready"`
	Address string      `json:"address,omitempty"`
	Error   *core.Error `json:"error,omitempty"`
}

// Main is the child process: it reads its configuration from stdin's first
// line, serves, says so on stdout, and returns when stdin ends (law E5), ctx
// ends or the server dies. It changes the working directory and can run once
// per process.
func Main(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	// A signal to the whole group (Ctrl-C, the stop of a service) is the
	// parent's to obey: it lets go of the leash once it needs the store no more.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGTERM)
	in := bufio.NewReaderSize(stdin, maxConfig)
	line, err := in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read the store server's configuration: %w", err)
	}
	var cfg config
	if err := json.Unmarshal(line, &cfg); err != nil {
		return fmt.Errorf("read the store server's configuration: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		io.Copy(io.Discard, in)
		cancel()
	}()
	err = serve(ctx, cfg, stdout)
	if err != nil && ctx.Err() == nil {
		tell(stdout, report{Error: &core.Error{Kind: core.KindOf(err), What: err.Error(), Where: cfg.Root, Remedy: remedyOf(err)}})
		return err
	}
	return nil
}

func remedyOf(err error) string {
	if known := (*core.Error)(nil); errors.As(err, &known) {
		return known.Remedy
	}
	return ""
}

func tell(w io.Writer, r report) error {
	b, err := json.Marshal(r)
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	return err
}

func serve(ctx context.Context, cfg config, stdout io.Writer) error {
	if err := loopback(cfg.Address); err != nil {
		return err
	}
	unlock, err := own(ctx, cfg.Root)
	if err != nil {
		return err
	}
	defer unlock()
	start := time.Now()
	if err := sweepStaging(cfg.Root, start); err != nil {
		return fmt.Errorf("sweep the store: %w", err)
	}
	be, err := newDurable(cfg.Root)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	defer be.Shutdown()
	beside, err := os.Open(filepath.Dir(cfg.Root))
	if err != nil {
		return err
	}
	defer beside.Close()
	// The kernel takes this however long the path is.
	socket := fmt.Sprintf("/proc/self/fd/%d/%s", beside.Fd(), filepath.Base(socketOf(cfg.Root)))

	died := make(chan error, 1)
	go func() {
		died <- embedgw.RunVersityGW(ctx, be, &embedgw.Config{
			RootUserAccess:    cfg.AccessKey,
			RootUserSecret:    cfg.SecretKey,
			Region:            region,
			Ports:             []string{cfg.Address, socket},
			SocketPerm:        "0600",
			MaxConnections:    maxConnections,
			MaxRequests:       maxRequests,
			MultipartMaxParts: 10000,
			Quiet:             true,
			KeepAlive:         true,
			HealthPath:        healthPath,
		})
	}()
	if err := awaitHealth(ctx, cfg.Address, died); err != nil {
		return err
	}
	if err := tell(stdout, report{Ready: true, Address: cfg.Address}); err != nil {
		return err
	}
	go sweepOverwrites(ctx, cfg.Root, start)

	select {
	case err := <-died:
		return err
	case <-ctx.Done():
	}
	select {
	case <-died:
	case <-time.After(goodbye):
	}
	return nil
}

// own makes this process the root's only server (law E4). A server whose parent
// died lets go of it within seconds.
func own(ctx context.Context, root string) (unlock func(), err error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	if err := (meta.XattrMeta{}).Test(root); err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).
			Do("put the state directory on ext4, xfs, btrfs or tmpfs")
	}
	f, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockPatience); ; {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			f.Close()
			return nil, core.Errorf(core.Conflict, "another store server owns the directory").
				Do("stop the other `capstan up` on this state directory, or choose another")
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

// socketOf is the socket of the store in root.
func socketOf(root string) string { return root + ".sock" }

// loopback refuses an address that other machines can reach.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return core.Errorf(core.Invalid, "the embedded store listens on loopback only, not on %q", address).
			Do(`use "127.0.0.1:port"; jobs on other machines reach the store through the host`)
	}
	return nil
}

// awaitHealth returns when the server answers, and with its error if it dies.
func awaitHealth(ctx context.Context, address string, died <-chan error) error {
	t := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: t, Timeout: time.Second}
	for {
		if healthy(ctx, client, address) == nil {
			return nil
		}
		select {
		case err := <-died:
			if err == nil {
				err = errors.New("the store server ended at once")
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func healthy(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+healthPath, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("store health: %s", resp.Status)
	}
	return nil
}
