package work

import "net"

// address is where other executors of the gang reach this one; "" if the gang has
// no network of its own.
func (w *worker) address() string {
	if !w.env.Spec.Gang.Network {
		return ""
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}
