package mesh

import (
	"bytes"
	"context"
)

// Line is one tag between this rank and a peer, for what wants to send and
// receive bytes and know no more of the mesh. Nothing else may receive under
// its tag from that peer.
type Line struct {
	Mesh *Mesh
	Peer int
	Tag  Tag
}

// Send sends b as [Mesh.Send] does.
func (l Line) Send(ctx context.Context, b []byte) error {
	return l.Mesh.Send(ctx, l.Peer, l.Tag, b)
}

// Recv returns the bytes of the next message, as [Mesh.Recv] does. They are the
// caller's.
func (l Line) Recv(ctx context.Context) ([]byte, error) {
	m, err := l.Mesh.Recv(ctx, l.Peer, l.Tag)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	return bytes.Clone(m.Bytes()), nil
}
