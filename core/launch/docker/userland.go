package docker

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// userland is what image "host" shows of the machine.
type userland struct {
	links  []link   // root folders that are links: "/bin" → "usr/bin"
	mounts []string // paths to mount read-only; none lies within another
	path   string   // PATH within the container
}

type link struct{ path, target string }

// rootFolders hold programs and libraries; on most systems all but /usr and
// /opt are links into /usr.
var rootFolders = []string{"/usr", "/opt", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"}

// settings are what programs of /usr need of /etc, and hold no secret.
var settings = []string{
	"/etc/alternatives", "/etc/ca-certificates", "/etc/ca-certificates.conf",
	"/etc/fonts", "/etc/java-*-openjdk", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
	"/etc/localtime", "/etc/magic", "/etc/mime.types", "/etc/perl", "/etc/python3*", "/etc/R",
	"/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls", "/etc/pki/ca-trust", "/etc/terminfo", "/etc/timezone",
}

const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// findUserland looks at the machine below root ("/" but in tests). path is the
// host's PATH.
func findUserland(root, path string) userland {
	var u userland
	at := func(p string) string { return filepath.Join(root, p) }
	for _, p := range rootFolders {
		info, err := os.Lstat(at(p))
		switch {
		case err != nil:
		case info.Mode()&os.ModeSymlink != 0:
			if target, err := os.Readlink(at(p)); err == nil {
				u.links = append(u.links, link{p, target})
			}
		case info.IsDir():
			u.mounts = append(u.mounts, p)
		}
	}
	for _, pattern := range settings {
		found, _ := filepath.Glob(at(pattern)) // the patterns are well-formed
		for _, p := range found {
			if _, err := os.Stat(p); err == nil {
				u.mounts = append(u.mounts, "/"+strings.TrimPrefix(strings.TrimPrefix(p, root), "/"))
			}
		}
	}
	dirs := strings.Split(standardPath, ":")
	for _, p := range filepath.SplitList(path) {
		p = filepath.Clean(p)
		if !filepath.IsAbs(p) || slices.Contains(dirs, p) {
			continue
		}
		if !u.shows(p) {
			if info, err := os.Stat(at(p)); err != nil || !info.IsDir() || !reachable(root, p) {
				continue
			}
			u.mounts = append(u.mounts, p)
		}
		dirs = append(dirs, p)
	}
	u.path = strings.Join(dirs, ":")
	return u
}

// shows reports whether p lies within what is mounted or linked.
func (u *userland) shows(p string) bool {
	for _, m := range u.mounts {
		if p == m || strings.HasPrefix(p, m+"/") {
			return true
		}
	}
	for _, l := range u.links {
		if p == l.path || strings.HasPrefix(p, l.path+"/") {
			return true
		}
	}
	return false
}

// reachable reports whether any user of the machine can list p: a private
// folder in root's PATH is not for jobs.
func reachable(root, p string) bool {
	info, err := os.Stat(filepath.Join(root, p))
	if err != nil || info.Mode().Perm()&0o005 != 0o005 {
		return false
	}
	for dir := filepath.Dir(p); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(filepath.Join(root, dir))
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == "/" {
			return true
		}
	}
}
