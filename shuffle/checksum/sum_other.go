//go:build !amd64

package checksum

func sum(*lanes, *byte) {}

const canSum = false
