package work

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/capstan-run/capstan/shuffle/partition"
)

// Fold joins two accumulators of one key. Every Fold is associative and
// commutative over int64, so that it may run anywhere (law W3).
type Fold uint8

const (
	FoldSum Fold = iota + 1 // wraps are refused where the sum is read, see Tally.Overflow
	FoldMin
	FoldMax
)

// Tally maps keys to int64 accumulators, for more keys than a cache holds.
//
//	(key, v) ─→ front: 4096 keys ──hit──→ joined in place
//	              │ miss, or what was evicted
//	              ↓
//	            bucket of its partition: appended ──(Fold)──→ one entry for each key
//
// Words come by a power law: the front, which stays in the second-level cache,
// takes most of them. The others are not looked up but appended to one of some
// hundreds of buckets, by hash, and a bucket is folded when its keys are
// wanted, or memory is: its keys too fit the cache. So no access goes to memory
// at random. (Pre-aggregation and radix partitioning, as in Leis et al.,
// Morsel-driven parallelism, SIGMOD 2014, section 4.4; a front entry gives way
// as in Misra and Gries, Finding repeated elements, 1982.)
//
// A Tally is not safe for concurrent use.
type Tally struct {
	fold  Fold
	part  *Partitioner
	whole bool // part goes by keyHash of the whole key
	seed  seed // its own, so that no input can be made to collide

	front  *[1 << frontBits]entry
	credit *[1 << frontBits]uint8  // of a front entry: how many misses it outlives
	home   *[1 << frontBits]uint32 // of a front entry: its bucket

	buckets []bucket
	// A bucket's entries are staged in cache and moved by stageRoom at a time:
	// stores that each wait for another line of memory cost most of all.
	stage  []entry
	staged []uint8
	sub    uint // partition p has the buckets from p<<sub on
	held   int  // bytes of the buckets' memory
	budget int  // of held
	over   bool // held has been more since the last Reset
	slots  []uint32
	spare  []byte
	// overflow is the sticky sign of a sum that left int64.
	overflow bool
}

// bucket is pairs of some keys of one partition.
type bucket struct {
	pending []entry
	text    []byte // of the long keys
}

const (
	frontBits = 12
	// tallyBuckets is how many buckets a tally has at least: a million keys
	// then make buckets of 128 KiB.
	tallyBuckets = 256
	maxCredit    = 64
	stageRoom    = 16
)

// NewTally makes an empty tally whose keys belong to the partitions of part, and
// which is tight when it holds more than budget bytes.
func NewTally(fold Fold, part *Partitioner, budget int) *Tally {
	t := &Tally{
		fold: fold, seed: newSeed(), budget: budget,
		front: new([1 << frontBits]entry), credit: new([1 << frontBits]uint8), home: new([1 << frontBits]uint32),
	}
	t.partition(part)
	return t
}

// partition makes an empty tally one of the partitions of part.
func (t *Tally) partition(part *Partitioner) {
	t.part, t.whole, t.sub = part, part.whole(), 0
	for part.parts<<t.sub < tallyBuckets {
		t.sub++
	}
	n := part.parts << t.sub
	if cap(t.staged) < n {
		t.stage, t.staged = make([]entry, n*stageRoom), make([]uint8, n)
	}
	t.stage, t.staged = t.stage[:n*stageRoom], t.staged[:n]
	t.buckets = slices.Grow(t.buckets[:cap(t.buckets)], max(0, n-cap(t.buckets)))[:n]
}

// Add folds v into key's accumulator. key is not retained.
func (t *Tally) Add(key []byte, v int64) {
	if len(key) > inlineKey {
		t.addLong(key, v)
		return
	}
	lo, hi := inline(key)
	t.addShort(lo, hi, key, v)
}

func (t *Tally) addShort(lo, hi uint64, key []byte, v int64) {
	h := t.seed.short(lo, hi, len(key))
	at := h >> (64 - frontBits)
	e := &t.front[at]
	if e.lo == lo && e.hi == hi && e.size == uint32(len(key))+1 {
		t.hit(e, at, v)
		return
	}
	t.miss(lo, hi, h, key, v)
}

func (t *Tally) addLong(key []byte, v int64) {
	lo, h := binary.LittleEndian.Uint64(key), t.seed.long(key)
	at := h >> (64 - frontBits)
	e := &t.front[at]
	if e.lo == lo && e.hi == h && e.size == uint32(len(key))+1 && string(t.buckets[t.home[at]].long(e)) == string(key) {
		t.hit(e, at, v)
		return
	}
	t.miss(lo, h, h, key, v)
}

func (t *Tally) hit(e *entry, at uint64, v int64) {
	t.join(e, v)
	if t.credit[at] < maxCredit {
		t.credit[at]++
	}
}

// miss takes a pair whose key is not at its place of the front: there, if who
// holds the place has no credit left, else in its bucket.
func (t *Tally) miss(lo, hi, h uint64, key []byte, v int64) {
	at := h >> (64 - frontBits)
	b := t.bucketOf(lo, hi, h, key)
	ref := uint32(0)
	if len(key) > inlineKey {
		ref = t.keep(b, key)
	}
	var e *entry
	if t.credit[at] > 0 {
		t.credit[at]--
		e = t.push(b)
	} else {
		e = &t.front[at]
		if e.size != 0 {
			*t.push(t.home[at]) = *e
		}
		t.home[at], t.credit[at] = b, 1
	}
	// Field by field: a copy would wait for the stores to its source.
	e.lo, e.hi, e.acc = lo, hi, v
	e.size, e.ref = uint32(len(key))+1, ref
}

// put takes a pair past the front: of a source where keys do not repeat.
func (t *Tally) put(key []byte, v int64) {
	var lo, hi, h uint64
	if len(key) > inlineKey {
		h = t.seed.long(key)
		lo, hi = binary.LittleEndian.Uint64(key), h
	} else {
		lo, hi = inline(key)
		h = t.seed.short(lo, hi, len(key))
	}
	b := t.bucketOf(lo, hi, h, key)
	ref := uint32(0)
	if len(key) > inlineKey {
		ref = t.keep(b, key)
	}
	e := t.push(b)
	e.lo, e.hi, e.acc = lo, hi, v
	e.size, e.ref = uint32(len(key))+1, ref
}

// bucketOf is the bucket of a key with hash h: of its partition, and within
// that by bits of h that did not choose its place in the front.
func (t *Tally) bucketOf(lo, hi, h uint64, key []byte) uint32 {
	p := 0
	switch {
	case t.part.parts == 1:
	case t.whole && len(key) <= inlineKey:
		p = partition.Of(keyHash.short(lo, hi, len(key)), t.part.parts)
	default:
		p = t.part.Of(key)
	}
	return uint32(p)<<t.sub | uint32(h>>8)&(1<<t.sub-1)
}

// push adds an entry to bucket b. The caller fills it in before the next call.
func (t *Tally) push(b uint32) *entry {
	n := t.staged[b]
	if n == stageRoom {
		t.unstage(b)
		n = 0
	}
	t.staged[b] = n + 1
	return &t.stage[int(b)*stageRoom+int(n)]
}

// unstage moves what is staged for bucket b into it.
func (t *Tally) unstage(b uint32) {
	k := &t.buckets[b]
	from := t.stage[int(b)*stageRoom:][:t.staged[b]]
	if len(k.pending)+len(from) > cap(k.pending) {
		t.widen(k, len(from))
	}
	k.pending = append(k.pending, from...)
	t.staged[b] = 0
}

// widen makes room for more entries in a bucket: by folding it, if that frees
// half of it, else with twice the memory.
func (t *Tally) widen(k *bucket, more int) {
	if t.dear(cap(k.pending) * entryBytes) {
		if t.foldBucket(k); len(k.pending)+more <= cap(k.pending)/2 {
			return
		}
	}
	next := make([]entry, len(k.pending), max(2*cap(k.pending), firstPending))
	copy(next, k.pending)
	t.hold((cap(next) - cap(k.pending)) * entryBytes)
	k.pending = next
}

const (
	// firstPending is the room of a bucket that is used at all.
	firstPending = 32
	// foldFrom is the memory of a bucket, in bytes, from which on it is folded
	// before it grows.
	foldFrom = 512 << 10
	// maxText is more than the text of a bucket: all of it has an address.
	maxText = 1<<32 - 1
)

// dear reports whether to fold before doubling what has so many bytes.
func (t *Tally) dear(bytes int) bool { return bytes >= foldFrom || t.held+bytes > t.budget }

// hold counts memory.
func (t *Tally) hold(bytes int) {
	t.held += bytes
	t.over = t.over || t.held > t.budget
}

// keep stores a long key in the text of bucket b.
func (t *Tally) keep(b uint32, key []byte) uint32 {
	k := &t.buckets[b]
	if len(k.text)+len(key) > cap(k.text) {
		t.widenText(b, len(key))
	}
	ref := len(k.text)
	k.text = append(k.text, key...)
	return uint32(ref)
}

// widenText makes room for more text in bucket b, as widen does for entries.
func (t *Tally) widenText(b uint32, more int) {
	k := &t.buckets[b]
	text := k.text
	if t.dear(cap(k.text)) {
		t.foldBucket(k)
		t.spare = t.live(b, t.spare[:0])
		if text = t.spare; len(text)+more <= cap(k.text)/2 {
			k.text = append(k.text[:0], text...)
			return
		}
	}
	next := make([]byte, 0, max(2*cap(k.text), entryBytes*firstPending, len(text)+more))
	t.hold(cap(next) - cap(k.text))
	t.over = t.over || cap(next) > maxText/2
	k.text = append(next, text...)
}

// live appends the text of bucket b that is in use to dst, and has its entries,
// wherever they are, point there.
func (t *Tally) live(b uint32, dst []byte) []byte {
	k := &t.buckets[b]
	move := func(e *entry) {
		if e.size > inlineKey+1 {
			ref := len(dst)
			dst = append(dst, k.long(e)...)
			e.ref = uint32(ref)
		}
	}
	for i := range k.pending {
		move(&k.pending[i])
	}
	for i := range t.staged[b] {
		move(&t.stage[int(b)*stageRoom+int(i)])
	}
	for at, home := range t.home {
		if home == b && t.front[at].size != 0 {
			move(&t.front[at])
		}
	}
	return dst
}

func (k *bucket) long(e *entry) []byte {
	n := e.size - 1
	return k.text[e.ref : e.ref+n : e.ref+n]
}

// key returns the key of an entry of k. A short one is written to buf, whose
// contents it shares.
func (k *bucket) key(e *entry, buf *[inlineKey]byte) []byte {
	if e.size > inlineKey+1 {
		return k.long(e)
	}
	return e.short(buf)
}

// of is the buckets of partition p.
func (t *Tally) of(p int) []bucket { return t.buckets[p<<t.sub : (p+1)<<t.sub] }

func (t *Tally) empty() bool {
	for at := range t.front {
		if t.front[at].size != 0 {
			return false
		}
	}
	for b := range t.buckets {
		if len(t.buckets[b].pending) > 0 || t.staged[b] > 0 {
			return false
		}
	}
	return true
}

// tight reports whether the tally holds more than its budget, even folded.
func (t *Tally) tight() bool { return t.over }

// Reset empties the tally and keeps its memory for the next use, unless it is
// more than the budget.
func (t *Tally) Reset() {
	for at := range t.front {
		t.front[at].size, t.credit[at] = 0, 0
	}
	clear(t.staged)
	free := t.held > t.budget
	for b := range t.buckets {
		k := &t.buckets[b]
		if free {
			*k = bucket{}
			continue
		}
		k.pending, k.text = k.pending[:0], k.text[:0]
	}
	if free {
		t.held = 0
	}
	t.overflow, t.over = false, false
}

// Fold leaves each key in its bucket once, and nothing in the front.
func (t *Tally) Fold() {
	t.flush()
	for b := range t.buckets {
		t.foldBucket(&t.buckets[b])
	}
}

// flush empties the front and the stage into the buckets.
func (t *Tally) flush() {
	for at := range t.front {
		if e := &t.front[at]; e.size != 0 {
			*t.push(t.home[at]) = *e
			e.size = 0
		}
		t.credit[at] = 0
	}
	for b := range t.buckets {
		t.unstage(uint32(b))
	}
}

const firstSlots = 1 << 13

// foldBucket joins the entries of equal keys in place: the first of each key
// moves to the front of the bucket. slots finds it: a hash table of places.
func (t *Tally) foldBucket(k *bucket) {
	in, n := k.pending, uint32(0)
	if len(in) < 2 {
		return
	}
	t.room(min(len(in), firstSlots/2))
	shift, mask := t.shift(), uint32(len(t.slots)-1)
	for i := range in {
		e := &in[i]
		at := uint32(t.slot(e) >> shift)
		for ; t.slots[at] != 0; at = (at + 1) & mask {
			if d := &in[t.slots[at]-1]; d.lo == e.lo && d.hi == e.hi && d.size == e.size &&
				(e.size <= inlineKey+1 || string(k.long(d)) == string(k.long(e))) {
				t.join(d, e.acc)
				break
			}
		}
		if t.slots[at] != 0 {
			continue
		}
		in[n] = *e
		n++
		if t.slots[at] = n; int(n) > len(t.slots)/2 {
			t.rehash(in[:n])
			shift, mask = t.shift(), uint32(len(t.slots)-1)
		}
	}
	k.pending = in[:n]
}

// slot is the hash of an entry's key. Its high bits count.
func (t *Tally) slot(e *entry) uint64 {
	if e.size > inlineKey+1 {
		return e.hi
	}
	return t.seed.short(e.lo, e.hi, int(e.size-1))
}

func (t *Tally) shift() uint { return uint(64 - bits.TrailingZeros(uint(len(t.slots)))) }

// room makes free slots for n keys.
func (t *Tally) room(n int) {
	size := firstSlots
	for size < 2*n {
		size *= 2
	}
	if cap(t.slots) < size {
		t.slots = make([]uint32, size)
		return
	}
	t.slots = t.slots[:size]
	clear(t.slots)
}

// rehash doubles the slots for the distinct keys found so far.
func (t *Tally) rehash(distinct []entry) {
	t.room(len(t.slots))
	shift, mask := t.shift(), uint32(len(t.slots)-1)
	for i := range distinct {
		at := uint32(t.slot(&distinct[i]) >> shift)
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = uint32(i + 1)
	}
}

func (t *Tally) join(e *entry, v int64) {
	switch t.fold {
	case FoldSum:
		s := e.acc + v
		if (s > e.acc) != (v > 0) && v != 0 {
			t.overflow = true
		}
		e.acc = s
	case FoldMin:
		e.acc = min(e.acc, v)
	case FoldMax:
		e.acc = max(e.acc, v)
	}
}

// Overflow reports whether a sum left the range of int64 since the last Reset.
func (t *Tally) Overflow() bool { return t.overflow }

// countSpans folds 1 into the accumulator of every word of p.
func (t *Tally) countSpans(p []byte, words []span) {
	last := uint32(0)
	if len(p) >= inlineKey {
		last = uint32(len(p) - inlineKey)
	}
	if t.fold != FoldSum {
		last = 0 // by Add, word for word
	}
	for _, s := range words {
		n := s.end - s.start
		if n > inlineKey || s.start >= last {
			t.Add(p[s.start:s.end], 1)
			continue
		}
		b := p[s.start : s.start+inlineKey : s.start+inlineKey]
		m := &inlineMasks[n]
		lo, hi := binary.LittleEndian.Uint64(b)&m[0], binary.LittleEndian.Uint64(b[8:])&m[1]
		h := t.seed.short(lo, hi, int(n))
		at := h >> (64 - frontBits)
		e := &t.front[at]
		if e.lo == lo && e.hi == hi && e.size == n+1 && e.acc < math.MaxInt64 {
			e.acc++
			if t.credit[at] < maxCredit {
				t.credit[at]++
			}
			continue
		}
		t.miss(lo, hi, h, b[:n], 1)
	}
}
