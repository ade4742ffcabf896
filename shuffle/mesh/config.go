package mesh

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/capstan-run/capstan/core"
)

// Place says where a rank is. Two ranks are linked by the first of these that
// holds: the same Process, the same Host, an Address.
type Place struct {
	Process string // equal and not empty: one process; both have Config.Hub
	Host    string // equal and not empty: one host; both have Config.Dir
	Address string // "host:port" of the rank's Config.Listener
}

// Config is what a rank joins with. ID, Size, Places, Streams and whether TLS
// is set must be the same on all ranks.
type Config struct {
	// ID names the mesh: the gang's attempt, for one. Links between meshes of
	// different IDs are refused. At most 256 bytes.
	ID     string
	Rank   int
	Size   int
	Places []Place // by rank

	// Hub is where the ranks of this process meet.
	Hub *Hub
	// Dir is a directory of this host that all its ranks share and nobody else
	// may enter. It holds their sockets until they have joined.
	Dir string
	// Listener takes the links of ranks elsewhere. Join closes it.
	Listener net.Listener
	// TLS, where set, secures links to Addresses. It is used as server and as
	// client, and must ask clients for their certificates.
	TLS *tls.Config
	// Authorize refuses, with an error, a peer that says it is rank. Nil
	// trusts every certificate that TLS verified.
	Authorize func(rank int, state tls.ConnectionState) error

	// Window bounds the bytes that this rank holds for each peer that it has
	// not asked for: 64 KiB to 1 GiB. Default 1 MiB.
	Window int
	// Arena bounds the shared memory this rank gives to payloads on their way
	// to other processes of this host. A payload of at most half of it goes by
	// reference. Default 64 MiB, rounded up to 4 KiB.
	Arena int
	// Streams is the number of connections that a large payload is spread
	// over: 1 to 16. Default 2.
	Streams int
	// Lazy makes a link when it is first needed, by a Send to a rank or a Recv
	// from it. The caller sees to it that every rank has joined before any sends
	// or receives; one that cannot be reached then is lost. Receiving from Any
	// needs no link, and does not notice the loss of a rank that never had one.
	// Ranks of one process are linked by Join nevertheless. Any rank that has
	// peers elsewhere needs Address and Listener. The same on all ranks.
	Lazy bool
	// MaxMessage is the largest message this rank takes. Default 16 GiB.
	MaxMessage int64
}

func (c *Config) setDefaults() {
	if c.Window == 0 {
		c.Window = 1 << 20
	}
	if c.Arena == 0 {
		c.Arena = 64 << 20
	}
	if c.Arena > 0 {
		c.Arena = (c.Arena + 4095) &^ 4095
	}
	if c.Streams == 0 {
		c.Streams = 2
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = 16 << 30
	}
}

// Validate finds what cannot work. Zero values stand for their defaults.
func (c Config) Validate() error {
	c.setDefaults()
	invalid := func(where, format string, args ...any) *core.Error {
		return core.Errorf(core.Invalid, format, args...).At("mesh " + where)
	}
	switch {
	case len(c.ID) > maxID:
		return invalid("ID", "%d bytes, more than %d", len(c.ID), maxID)
	case c.Size < 1 || c.Size > maxSize:
		return invalid("Size", "%d ranks, from 1 to %d are possible", c.Size, maxSize)
	case c.Rank < 0 || c.Rank >= c.Size:
		return invalid("Rank", "%d of %d ranks", c.Rank, c.Size)
	case len(c.Places) != c.Size:
		return invalid("Places", "%d places for %d ranks", len(c.Places), c.Size)
	case c.Window < 64<<10 || c.Window > 1<<30:
		return invalid("Window", "%d bytes, from 64 KiB to 1 GiB are possible", c.Window)
	case c.Arena < 0 || int64(c.Arena) > maxArena:
		return invalid("Arena", "%d bytes, at most %d are possible", c.Arena, int64(maxArena))
	case c.Streams < 1 || c.Streams > maxStreams:
		return invalid("Streams", "%d, from 1 to %d are possible", c.Streams, maxStreams)
	case c.MaxMessage < 1:
		return invalid("MaxMessage", "%d bytes", c.MaxMessage)
	case c.TLS != nil && c.TLS.ClientAuth != tls.RequireAndVerifyClientCert && c.Authorize == nil:
		return invalid("TLS", "clients are not asked for certificates").Do("set ClientAuth to tls.RequireAndVerifyClientCert, or Authorize")
	}
	return c.validateLinks()
}

func (c *Config) validateLinks() error {
	for r := range c.Size {
		if r == c.Rank {
			continue
		}
		missing := ""
		switch c.wayTo(r) {
		case inProcess:
			if c.Hub == nil {
				missing = "Hub, where they meet"
			}
		case sameHost:
			if c.Dir == "" {
				missing = "Dir, for their sockets"
			}
		case elsewhere:
			if (r > c.Rank || c.Lazy) && c.Listener == nil {
				missing = "Listener, for it to dial"
			}
			if c.Lazy && c.Places[r].Address == "" {
				missing = "Address of that rank, to ask for a link"
			}
		default:
			return core.Errorf(core.Invalid, "no way leads from rank %d to rank %d", c.Rank, r).At("mesh Places").
				Do("give both the same Process or Host, or the lower one an Address")
		}
		if missing != "" {
			return core.Errorf(core.Invalid, "rank %d is linked to rank %d but has no %s", c.Rank, r, missing).At("mesh")
		}
	}
	return nil
}

// way is how two ranks are linked.
type way uint8

const (
	noWay way = iota
	inProcess
	sameHost
	elsewhere
)

func (c *Config) wayTo(r int) way {
	me, it := c.Places[c.Rank], c.Places[r]
	switch {
	case r == c.Rank || me.Process != "" && me.Process == it.Process:
		return inProcess
	case me.Host != "" && me.Host == it.Host:
		return sameHost
	case c.Places[min(r, c.Rank)].Address != "":
		return elsewhere
	}
	return noWay
}

const (
	maxID      = 256
	maxSize    = 1 << 16
	maxStreams = 16
	maxArena   = 1 << 40
)

func (c *Config) link(r int) string { return fmt.Sprintf("mesh link of rank %d to rank %d", c.Rank, r) }
