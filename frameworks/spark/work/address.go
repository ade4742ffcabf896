package work

import (
	"net"
	"os"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

const loopback = "127.0.0.1"

// ownAddress is the first address of a container that has a network of its own,
// and loopback elsewhere: plain processes share the machine's.
func ownAddress() string {
	if os.Getpid() != 1 { // who is not the first process has no network of its own
		return loopback
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return loopback
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return loopback
}

// freePorts are so many ports that nobody listens on now. All stay open until all
// are known, so that none comes twice.
func freePorts(address string, n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			return nil, core.Errorf(core.Failed, "no free port for Spark: %v", err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// at is an address as Spark's options and pages have it.
func at(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
