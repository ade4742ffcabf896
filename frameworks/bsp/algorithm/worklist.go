package algorithm

// worklist is vertices to look at, each once at a time, first come first served.
type worklist struct {
	waiting bitset
	ring    []uint32
	head, n int
}

func newWorklist(vertices int) *worklist {
	return &worklist{waiting: *newBitset(vertices), ring: make([]uint32, vertices)}
}

// push adds a vertex that is not there.
func (w *worklist) push(v uint32) {
	if w.waiting.has(v) {
		return
	}
	w.waiting.set(v)
	at := w.head + w.n
	if at >= len(w.ring) {
		at -= len(w.ring)
	}
	w.ring[at] = v
	w.n++
}

func (w *worklist) pop() (v uint32, ok bool) {
	if w.n == 0 {
		return 0, false
	}
	v = w.ring[w.head]
	w.head++
	if w.head == len(w.ring) {
		w.head = 0
	}
	w.n--
	w.waiting.unset(v)
	return v, true
}
