package partition

import (
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Scatter moves all rows into image: the body of partition k's batch, as plan
// has it, from at[k] on. It adds the hashes of the rows of partition k to
// hashes[k]. The image needs no particular content; every byte of a body is
// written, padding too.
func (g *Group) Scatter(image []byte, plan *Plan, at []int64, hashes []uint64) {
	for _, f := range g.fields {
		g.aim(f, image, plan, at)
	}
	for i := range g.recs {
		r := &g.recs[i]
		step := stepOf(len(r.ids), g.parts)
		for from := 0; from < len(r.ids); from += step {
			ids := r.ids[from:min(from+step, len(r.ids))]
			// The hash brings the values into the cache for the move.
			g.hash(r.rec, from, ids, hashes)
			some := g.arrange(ids, 0)
			for i, f := range g.roots {
				d := r.rec.Column(i).Data()
				g.move(image, f, r, d, d.Offset()+from, some, 0)
			}
		}
		g.hasher.Forget()
	}
	for k := range plan.Batches {
		if plan.Batches[k].Rows > 0 {
			zeroPadding(image[at[k]:at[k]+plan.Bodies[k]], plan.Batches[k].Buffers)
		}
	}
}

// moveRowsOf is about how many rows are arranged at a time: few enough that
// their values stay in the cache, and with many partitions enough that each
// gets some of them.
func moveRowsOf(parts int) int { return min(max(4096, 4*parts), 16384) }

// stepOf divides n rows evenly into steps: a last one of a few rows would cost
// as much as the others.
func stepOf(n, parts int) int {
	step := moveRowsOf(parts)
	steps := max((n+step/2)/step, 1)
	return (n + steps - 1) / steps
}

// hash adds the hashes of rec's rows from row from on to those of their
// partitions.
func (g *Group) hash(rec arrow.Record, from int, ids []int32, hashes []uint64) {
	for at := 0; at < len(ids); at += block.ChunkRows {
		some := ids[at:min(at+block.ChunkRows, len(ids))]
		for i, h := range g.hasher.Rows(rec, from+at, len(some)) {
			hashes[some[i]] += h
		}
	}
}

// rows are elements in the order of their partitions. Moved in their own order
// they would touch as many places of the image in turn as there are
// partitions, and wait for the memory at each; in this one every partition
// gets some kilobytes at a time.
type rows struct {
	ids   []int32 // by element
	order []int32 // elements, by partition, then in their own order, and gatherAhead zeros
	ends  []int32 // by partition: where its elements end in order
}

// arrange sorts elements by their partitions. The result is valid until it is
// called again for the same depth.
func (g *Group) arrange(ids []int32, depth int) *rows {
	for len(g.sorted) <= depth {
		g.sorted = append(g.sorted, rows{ends: make([]int32, g.parts+1)})
	}
	r := &g.sorted[depth]
	if cap(r.order) < len(ids)+gatherAhead {
		r.order = make([]int32, max(len(ids), moveRowsOf(g.parts))+gatherAhead)
	}
	r.ids, r.order = ids, r.order[:len(ids)+gatherAhead]
	clear(r.order[len(ids):])
	ends := r.ends[:g.parts+1]
	clear(ends)
	for _, id := range ids {
		ends[id+1]++
	}
	for p := 1; p < len(ends); p++ {
		ends[p] += ends[p-1]
	}
	for i, id := range ids { // now ends has the starts, and moves on
		at := ends[id]
		r.order[at] = int32(i)
		ends[id] = at + 1
	}
	return r
}

// zeroPadding clears what lies between the buffers of a body.
func zeroPadding(body []byte, buffers []block.Extent) {
	end := int64(0)
	for _, x := range buffers {
		if x.Length > 0 {
			clear(body[end:x.Offset])
			end = x.Offset + x.Length
		}
	}
	clear(body[end:])
}

// aim sets the cursors of f to the start of its buffers.
func (g *Group) aim(f *field, image []byte, plan *Plan, at []int64) {
	if f.layout.Form == block.FormNull {
		return
	}
	f.valid = f.valid[:0]
	if len(f.next) == 0 {
		f.next = make([]cursor, g.parts+2)[:g.parts] // a gathering looks two ahead
	}
	for k := range plan.Batches {
		var bufs []block.Extent
		if plan.Batches[k].Rows > 0 {
			bufs = plan.Batches[k].Buffers[f.buffer:][:f.layout.Buffers()]
			f.next[k] = f.start(image, bufs, int(at[k]))
		}
		if f.nulls == nil {
			continue
		}
		bit := -1
		if f.nulls[k] > 0 {
			start := int(at[k] + bufs[0].Offset)
			clear(image[start:][:bufs[0].Length])
			bit = 8 * start
		}
		f.valid = append(f.valid, bit)
	}
}

// start is the cursor of one partition, whose body starts at base.
func (f *field) start(image []byte, bufs []block.Extent, base int) cursor {
	if len(bufs) < 2 {
		return cursor{}
	}
	c := cursor{slot: base + int(bufs[1].Offset)}
	switch f.layout.Form {
	case block.FormBits:
		clear(image[c.slot:][:bufs[1].Length])
		c.slot *= 8
	case block.FormBinary, block.FormLarge, block.FormList, block.FormLargeList:
		if first := min(int(bufs[1].Length), f.offsetWidth()); first > 0 {
			clear(image[c.slot:][:first])
			c.slot += first
		}
	}
	if len(bufs) > 2 {
		c.data = base + int(bufs[2].Offset)
	}
	return c
}

func (f *field) offsetWidth() int {
	if f.layout.Form == block.FormLarge || f.layout.Form == block.FormLargeList {
		return 8
	}
	return 4
}

// move moves elements of d from element off of its buffers on.
func (g *Group) move(image []byte, f *field, r *gathered, d arrow.ArrayData, off int, some *rows, depth int) {
	n := len(some.ids)
	if n == 0 || f.layout.Form == block.FormNull {
		return
	}
	if f.nulls != nil {
		moveValidity(image, f.valid, block.Bytes(d, 0), off, some.ids)
	}
	switch f.layout.Form {
	case block.FormBits:
		moveBits(image, f.next, block.Bytes(d, 1), off, some.ids)
	case block.FormFixed:
		moveFixed(image, f.next, block.Bytes(d, 1), off, f.layout.Width, some)
	case block.FormDictionary:
		moveIndices(image, f.next, block.Bytes(d, 1), off, f.layout.Width, r.remaps[f.dict], some)
	case block.FormBinary:
		moveStrings(image, f.next, offsetsOf[int32](d, off, n), block.Bytes(d, 2), some)
	case block.FormLarge:
		moveBinary(image, f.next, offsetsOf[int64](d, off, n), block.Bytes(d, 2), some)
	case block.FormList:
		offs := offsetsOf[int32](d, off, n)
		moveOffsets(image, f.next, offs, some)
		g.moveList(image, f, r, d.Children()[0], widen(offs), some.ids, depth)
	case block.FormLargeList:
		offs := offsetsOf[int64](d, off, n)
		moveOffsets(image, f.next, offs, some)
		g.moveList(image, f, r, d.Children()[0], offs, some.ids, depth)
	case block.FormFixedList:
		g.moveList(image, f, r, d.Children()[0], steps(off, f.layout.Width, n), some.ids, depth)
	case block.FormStruct:
		for i, c := range d.Children() {
			g.move(image, f.children[i], r, c, c.Offset()+off, some, depth)
		}
	}
}

// moveList moves the elements of lists between offsets.
func (g *Group) moveList(image []byte, f *field, r *gathered, child arrow.ArrayData, offs []int64, ids []int32, depth int) {
	inner := g.spread(offs, ids, depth)
	g.move(image, f.children[0], r, child, child.Offset()+int(offs[0]), g.arrange(inner, depth+1), depth+1)
}

// moveValidity moves validity bits; all are set where valid is empty.
func moveValidity(image []byte, next []int, valid []byte, off int, ids []int32) {
	for i, id := range ids {
		at := next[id]
		if at < 0 {
			continue
		}
		bit := byte(1)
		if len(valid) > 0 {
			k := off + i
			bit = valid[k>>3] >> (k & 7) & 1
		}
		image[at>>3] |= bit << (at & 7)
		next[id] = at + 1
	}
}

func moveBits(image []byte, next []cursor, src []byte, off int, ids []int32) {
	for i, id := range ids {
		c := &next[id]
		k := off + i
		image[c.slot>>3] |= src[k>>3] >> (k & 7) & 1 << (c.slot & 7)
		c.slot++
	}
}

func moveFixed(image []byte, next []cursor, src []byte, off, width int, some *rows) {
	switch width {
	case 0:
		return
	case 1:
		moveWords[uint8](image, next, src[off:], some)
	case 2:
		moveWords[uint16](image, next, src[2*off:], some)
	case 4:
		moveWords[uint32](image, next, src[4*off:], some)
	case 8:
		moveWords[uint64](image, next, src[8*off:], some)
	default:
		moveWide(image, next, src[off*width:], width, some)
	}
}

// moveWords moves values of the size of T. Buffers lie on boundaries of 64
// bytes, so the places are aligned.
func moveWords[T uint8 | uint16 | uint32 | uint64](image []byte, next []cursor, src []byte, some *rows) {
	var t T
	values, from := block.Cast[T](src)[:len(some.ids)], int32(0)
	for p := range next {
		to := some.ends[p]
		if from == to {
			continue
		}
		c := &next[p]
		n := int(to - from)
		dst := block.Cast[T](image[c.slot:][:n*int(unsafe.Sizeof(t))])[:n]
		for k, i := range some.order[from:to] {
			dst[k] = values[i]
		}
		c.slot += n * int(unsafe.Sizeof(t))
		from = to
	}
}

// moveWide moves values of any width.
func moveWide(image []byte, next []cursor, src []byte, width int, some *rows) {
	from := int32(0)
	for p := range next {
		to := some.ends[p]
		at := next[p].slot
		for _, i := range some.order[from:to] {
			moveBytes(image, at, src, int(i)*width, int(i+1)*width)
			at += width
		}
		next[p].slot, from = at, to
	}
}

// moveIndices moves dictionary indices, each through remap unless that is nil.
// What lies below a null becomes 0 where it names no entry.
func moveIndices(image []byte, next []cursor, src []byte, off, width int, remap []int32, some *rows) {
	if remap == nil {
		moveFixed(image, next, src, off, width, some)
		return
	}
	switch width {
	case 1:
		moveRemapped[uint8](image, next, src[off:], remap, some.ids)
	case 2:
		moveRemapped[uint16](image, next, src[2*off:], remap, some.ids)
	case 4:
		moveRemapped[uint32](image, next, src[4*off:], remap, some.ids)
	case 8:
		moveRemapped[uint64](image, next, src[8*off:], remap, some.ids)
	}
}

func moveRemapped[T uint8 | uint16 | uint32 | uint64](image []byte, next []cursor, src []byte, remap, ids []int32) {
	for i, v := range block.Cast[T](src)[:len(ids)] {
		to := T(0)
		if uint64(v) < uint64(len(remap)) {
			to = T(remap[v])
		}
		put(image, &next[ids[i]], to)
	}
}

// put writes v into c's slot.
func put[T uint8 | uint16 | uint32 | uint64 | int32 | int64](image []byte, c *cursor, v T) {
	at := image[c.slot:][:unsafe.Sizeof(v)]
	*(*T)(unsafe.Pointer(unsafe.SliceData(at))) = v
	c.slot += len(at)
}

// moveBinary moves strings: each one's end as an offset, and its bytes.
func moveBinary[T int32 | int64](image []byte, next []cursor, offs []T, data []byte, some *rows) {
	from := int32(0)
	for p := range next {
		to := some.ends[p]
		if from < to {
			moveSome(image, &next[p], offs, data, some.order[from:to])
		}
		from = to
	}
}

// moveSome moves the strings of one partition.
func moveSome[T int32 | int64](image []byte, c *cursor, offs []T, data []byte, order []int32) {
	at, end := c.data, c.end
	slots := slotsOf[T](image, c, len(order))
	for k, i := range order {
		lo, hi := int(offs[i]), int(offs[i+1])
		end += hi - lo
		slots[k] = T(end)
		moveBytes(image, at, data, lo, hi)
		at += hi - lo
	}
	c.data, c.end = at, end
}

// moveOffsets moves the lengths between offsets, as offsets.
func moveOffsets[T int32 | int64](image []byte, next []cursor, offs []T, some *rows) {
	from := int32(0)
	for p := range next {
		to := some.ends[p]
		if from == to {
			continue
		}
		c := &next[p]
		slots := slotsOf[T](image, c, int(to-from))
		for k, i := range some.order[from:to] {
			c.end += int(offs[i+1] - offs[i])
			slots[k] = T(c.end)
		}
		from = to
	}
}

// slotsOf returns the next n slots of c, and moves it behind them.
func slotsOf[T int32 | int64](image []byte, c *cursor, n int) []T {
	width := int(unsafe.Sizeof(T(0)))
	s := block.Cast[T](image[c.slot:][:n*width])[:n]
	c.slot += n * width
	return s
}

// moveBytes copies src[lo:hi] to image[at:], in one step of 16 bytes where both
// have the room: a call of copy takes longer.
func moveBytes(image []byte, at int, src []byte, lo, hi int) {
	n := hi - lo
	if n == 0 {
		return // a partition with nothing but empty strings has no room behind them
	}
	if n <= 16 && lo+16 <= len(src) {
		*(*[16]byte)(image[at:]) = [16]byte(src[lo:])
		return
	}
	copy(image[at:], src[lo:hi])
}
