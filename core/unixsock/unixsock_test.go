package unixsock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/capstan-run/capstan/core/unixsock"
)

func paths(t *testing.T) map[string]string {
	t.Helper()
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 120), strings.Repeat("e", 120))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"short": filepath.Join(t.TempDir(), "s"),
		"long":  filepath.Join(long, "store.sock"),
	}
}

func TestEcho(t *testing.T) {
	for name, path := range paths(t) {
		t.Run(name, func(t *testing.T) {
			l, err := unixsock.Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			if l.Addr().String() != path {
				t.Errorf("address %s, want %s", l.Addr(), path)
			}
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				io.Copy(c, c)
			}()
			c, err := unixsock.Dial(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			c.Write([]byte("ahoy"))
			c.(*net.UnixConn).CloseWrite()
			got, err := io.ReadAll(c)
			if err != nil || string(got) != "ahoy" {
				t.Errorf("echo %q, %v", got, err)
			}
			c.Close()
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the path remains after Close: %v", err)
			}
		})
	}
}

func TestServedPathIsNotTaken(t *testing.T) {
	for name, path := range paths(t) {
		t.Run(name, func(t *testing.T) {
			l, err := unixsock.Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if _, err := unixsock.Listen(path); !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatalf("second listener: %v, want EADDRINUSE", err)
			}
		})
	}
}

func TestAbandonedPathIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestPlainFileIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unixsock.Listen(path); err == nil {
		t.Fatal("listened over a plain file")
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file now holds %q", b)
	}
}

func TestCloseKeepsASuccessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	second, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	first.Close()
	if c, err := unixsock.Dial(context.Background(), path); err != nil {
		t.Errorf("the successor's path is gone: %v", err)
	} else {
		c.Close()
	}
}

func TestErrorsNameThePath(t *testing.T) {
	for name, path := range paths(t) {
		_, err := unixsock.Dial(context.Background(), path)
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "/proc/self") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
