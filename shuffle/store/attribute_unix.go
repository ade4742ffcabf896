//go:build unix

package store

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// attribute returns what the embedded server noted about an object beside its
// bytes, "" for nothing. ETags come without their quotes.
func attribute(f *os.File, name string) string {
	var buf [256]byte
	n, err := unix.Fgetxattr(int(f.Fd()), "user."+name, buf[:])
	if err != nil {
		return ""
	}
	return strings.Trim(string(buf[:n]), `"`)
}
