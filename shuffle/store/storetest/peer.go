package storetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// peerArtifact is Adobe's S3Mock: an S3 server that shares no code with the
// embedded one, checks checksums and preconditions strictly, and is one file.
const peerArtifact = "com.adobe.testing:s3mock:4.9.1:jar:exec"

// PeerLacks is what the peer cannot do.
var PeerLacks = []Capability{AtomicOverwrite, CutSafe, ConditionalRaces, ConditionalMultipart}

// StartPeer runs an independent S3 server with a bucket "test" for the test's
// life. It installs it into the user's cache at first. Where that is
// impossible the test is skipped, or fails if CAPSTAN_REQUIRE_PEERS is 1.
func StartPeer(t testing.TB) core.StoreAccess {
	t.Helper()
	jar, err := installPeer(t.Context())
	if err != nil {
		if os.Getenv("CAPSTAN_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no independent S3 server: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	dir, tmp := t.TempDir(), t.TempDir() // killed, it leaves its temporary files
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd := exec.Command("java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.io.tmpdir="+tmp,
		"-Dserver.address=127.0.0.1", "-Dserver.port=0", "-Dcom.adobe.testing.s3mock.httpPort="+port,
		"-Dcom.adobe.testing.s3mock.store.root="+dir, "-jar", jar)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	access := core.StoreAccess{Endpoint: "http://127.0.0.1:" + port, Region: "us-east-1", AccessKey: "peer", SecretKey: "peer-secret"}
	if err := answers(t.Context(), access.Endpoint, ended); err != nil {
		log, _ := os.ReadFile(out.Name())
		t.Fatalf("%v\n%s", err, log)
	}
	if err := Open(t, access).EnsureBucket(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	return access
}

// peerPatience is for a machine that is busy: it starts within seconds.
const peerPatience = 4 * time.Minute

// answers returns when the server at endpoint does.
func answers(ctx context.Context, endpoint string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, peerPatience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(r); err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return errors.New("the peer ended at its start")
		case <-ctx.Done():
			return errors.New("the peer does not answer")
		}
	}
}

// installPeer returns the peer's file, fetched by Maven if it is not there yet.
func installPeer(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "capstan", "peers")
	jar := filepath.Join(dir, "s3mock-4.9.1-exec.jar")
	if _, err := os.Stat(jar); err == nil {
		return jar, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy", "-Dartifact="+peerArtifact, "-DoutputDirectory="+fresh)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch %s: %w: %s", peerArtifact, err, out)
	}
	return jar, os.Rename(filepath.Join(fresh, filepath.Base(jar)), jar)
}
