package embedded

import "sync"

// keyed is a lock per key, for one or for many who share it.
type keyed struct {
	mu   sync.Mutex
	held map[string]*hold
}

type hold struct {
	sync.RWMutex
	users int
}

// lock waits until nobody else holds the key.
func (k *keyed) lock(key string) (unlock func()) {
	h := k.enter(key)
	h.Lock()
	return func() { h.Unlock(); k.leave(key, h) }
}

// share waits until nobody has locked the key.
func (k *keyed) share(key string) (unlock func()) {
	h := k.enter(key)
	h.RLock()
	return func() { h.RUnlock(); k.leave(key, h) }
}

func (k *keyed) enter(key string) *hold {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		k.held = map[string]*hold{}
	}
	h := k.held[key]
	if h == nil {
		h = &hold{}
		k.held[key] = h
	}
	h.users++
	return h
}

func (k *keyed) leave(key string, h *hold) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(k.held, key)
	}
}
