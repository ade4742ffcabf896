package checksum

import "golang.org/x/sys/cpu"

// sum takes the sums of a block's three lanes, of which a goes on from what it
// is, and asks for the cache lines that lie ahead of the block.
//
//go:noescape
func sum(l *lanes, p *byte)

var canSum = cpu.X86.HasSSE42
