//go:build amd64 || arm64

package checksum

// fetch brings n cache lines, at least one, from p on into the cache. It
// does not wait for them.
//
//go:noescape
func fetch(p *byte, n int)
