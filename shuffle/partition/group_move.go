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
		for from := 0; from < len(r.ids); from += block.ChunkRows {
			ids := r.ids[from:min(from+block.ChunkRows, len(r.ids))]
			// The hash brings the values into the cache for the move.
			for i, h := range g.hasher.Rows(r.rec, from, len(ids)) {
				hashes[ids[i]] += h
			}
			for i, f := range g.roots {
				d := r.rec.Column(i).Data()
				g.move(image, f, r, d, d.Offset()+from, ids, 0)
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
		f.next = make([]cursor, g.parts)
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

// move moves len(ids) elements of d from element off of its buffers on.
func (g *Group) move(image []byte, f *field, r *gathered, d arrow.ArrayData, off int, ids []int32, depth int) {
	if len(ids) == 0 || f.layout.Form == block.FormNull {
		return
	}
	if f.nulls != nil {
		moveValidity(image, f.valid, block.Bytes(d, 0), off, ids)
	}
	switch f.layout.Form {
	case block.FormBits:
		moveBits(image, f.next, block.Bytes(d, 1), off, ids)
	case block.FormFixed:
		moveFixed(image, f.next, block.Bytes(d, 1), off, f.layout.Width, ids)
	case block.FormDictionary:
		moveIndices(image, f.next, block.Bytes(d, 1), off, f.layout.Width, r.remaps[f.dict], ids)
	case block.FormBinary:
		moveBinary(image, f.next, offsetsOf[int32](d, off, len(ids)), block.Bytes(d, 2), ids)
	case block.FormLarge:
		moveBinary(image, f.next, offsetsOf[int64](d, off, len(ids)), block.Bytes(d, 2), ids)
	case block.FormList:
		offs := offsetsOf[int32](d, off, len(ids))
		moveOffsets(image, f.next, offs, ids)
		g.moveList(image, f, r, d.Children()[0], widen(offs), ids, depth)
	case block.FormLargeList:
		offs := offsetsOf[int64](d, off, len(ids))
		moveOffsets(image, f.next, offs, ids)
		g.moveList(image, f, r, d.Children()[0], offs, ids, depth)
	case block.FormFixedList:
		g.moveList(image, f, r, d.Children()[0], steps(off, f.layout.Width, len(ids)), ids, depth)
	case block.FormStruct:
		for i, c := range d.Children() {
			g.move(image, f.children[i], r, c, c.Offset()+off, ids, depth)
		}
	}
}

// moveList moves the elements of lists between offsets.
func (g *Group) moveList(image []byte, f *field, r *gathered, child arrow.ArrayData, offs []int64, ids []int32, depth int) {
	inner := g.spread(offs, ids, depth)
	g.move(image, f.children[0], r, child, child.Offset()+int(offs[0]), inner, depth+1)
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

func moveFixed(image []byte, next []cursor, src []byte, off, width int, ids []int32) {
	switch width {
	case 0:
		return
	case 1:
		moveWords[uint8](image, next, src[off:], ids)
	case 2:
		moveWords[uint16](image, next, src[2*off:], ids)
	case 4:
		moveWords[uint32](image, next, src[4*off:], ids)
	case 8:
		moveWords[uint64](image, next, src[8*off:], ids)
	default:
		src = src[off*width:]
		for i, id := range ids {
			c := &next[id]
			moveBytes(image, c.slot, src, i*width, (i+1)*width)
			c.slot += width
		}
	}
}

// moveWords moves values of the size of T. Buffers lie on boundaries of 64
// bytes, so the places are aligned.
func moveWords[T uint8 | uint16 | uint32 | uint64](image []byte, next []cursor, src []byte, ids []int32) {
	var t T
	for i, v := range block.Cast[T](src)[:len(ids)] {
		c := &next[ids[i]]
		at := image[c.slot:][:unsafe.Sizeof(t)]
		*(*T)(unsafe.Pointer(unsafe.SliceData(at))) = v
		c.slot += int(unsafe.Sizeof(t))
	}
}

// moveIndices moves dictionary indices, each through remap unless that is nil.
// What lies below a null becomes 0 where it names no entry.
func moveIndices(image []byte, next []cursor, src []byte, off, width int, remap []int32, ids []int32) {
	if remap == nil {
		moveFixed(image, next, src, off, width, ids)
		return
	}
	switch width {
	case 1:
		moveRemapped[uint8](image, next, src[off:], remap, ids)
	case 2:
		moveRemapped[uint16](image, next, src[2*off:], remap, ids)
	case 4:
		moveRemapped[uint32](image, next, src[4*off:], remap, ids)
	case 8:
		moveRemapped[uint64](image, next, src[8*off:], remap, ids)
	}
}

func moveRemapped[T uint8 | uint16 | uint32 | uint64](image []byte, next []cursor, src []byte, remap, ids []int32) {
	var t T
	for i, v := range block.Cast[T](src)[:len(ids)] {
		c := &next[ids[i]]
		to := T(0)
		if uint64(v) < uint64(len(remap)) {
			to = T(remap[v])
		}
		at := image[c.slot:][:unsafe.Sizeof(t)]
		*(*T)(unsafe.Pointer(unsafe.SliceData(at))) = to
		c.slot += int(unsafe.Sizeof(t))
	}
}

// moveBinary moves strings: each one's end as an offset, and its bytes.
func moveBinary[T int32 | int64](image []byte, next []cursor, offs []T, data []byte, ids []int32) {
	offs = offs[:len(ids)+1]
	lo := int(offs[0])
	for i, id := range ids {
		hi := int(offs[i+1])
		c := &next[id]
		c.end += hi - lo
		putOffset(image, c, T(c.end))
		moveBytes(image, c.data, data, lo, hi)
		c.data += hi - lo
		lo = hi
	}
}

// moveOffsets moves the lengths between offsets, as offsets.
func moveOffsets[T int32 | int64](image []byte, next []cursor, offs []T, ids []int32) {
	for i, id := range ids {
		c := &next[id]
		c.end += int(offs[i+1] - offs[i])
		putOffset(image, c, T(c.end))
	}
}

func putOffset[T int32 | int64](image []byte, c *cursor, v T) {
	at := image[c.slot:][:unsafe.Sizeof(v)]
	*(*T)(unsafe.Pointer(unsafe.SliceData(at))) = v
	c.slot += len(at)
}

// moveBytes copies src[lo:hi] to image[at:], in steps of 16 bytes where both
// have the room: a call of copy takes longer than such a step.
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
