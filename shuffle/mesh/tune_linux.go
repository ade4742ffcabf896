package mesh

import "golang.org/x/sys/unix"

// boundRetries ends a connection whose data nobody acknowledges for ten
// seconds. Keep-alive does not: it is for connections at rest.
func boundRetries(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 10000) }
