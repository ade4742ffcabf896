package snapshot

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Objects keeps objects in the S3 store, below a prefix.
type Objects struct {
	Client *store.Client
	Prefix string // "bucket/folder/"
}

func (o Objects) Put(ctx context.Context, name string, b []byte) error {
	_, err := o.Client.Put(ctx, o.Prefix+name, bytes.NewReader(b), int64(len(b)), store.PutOptions{})
	return err
}

func (o Objects) Commit(ctx context.Context, name string, b []byte) error {
	return o.Client.Commit(ctx, o.Prefix+name, b)
}

func (o Objects) Get(ctx context.Context, name string) ([]byte, error) {
	r, _, err := o.Client.Get(ctx, o.Prefix+name, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (o Objects) Delete(ctx context.Context, name string) error {
	return o.Client.Delete(ctx, o.Prefix+name)
}

// Memory keeps objects for as long as it lives: for runs that outlive nothing.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (m *Memory) put(name string, b []byte, fresh bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if there, ok := m.objects[name]; ok && fresh {
		if bytes.Equal(there, b) {
			return nil
		}
		return &core.Error{Kind: core.Conflict, What: "commit", Where: name, Err: store.ErrExists}
	}
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[name] = bytes.Clone(b)
	return nil
}

func (m *Memory) Put(_ context.Context, name string, b []byte) error { return m.put(name, b, false) }

func (m *Memory) Commit(_ context.Context, name string, b []byte) error { return m.put(name, b, true) }

func (m *Memory) Get(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[name]
	if !ok {
		return nil, &core.Error{Kind: core.NotFound, What: "get", Where: name, Err: store.ErrNotFound}
	}
	return bytes.Clone(b), nil
}

func (m *Memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}
