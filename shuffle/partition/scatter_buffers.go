package partition

import (
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
)

// carve allocates one buffer for all partitions, sizes[k] bytes for partition
// k, and returns the slices and their bytes. A partition of count 0 gets none;
// one of 0 bytes gets an empty buffer.
func (s *scatterer) carve(sizes, counts []int) ([]*memory.Buffer, [][]byte) {
	total := 0
	for _, n := range sizes {
		total += int(block.Align(int64(n)))
	}
	whole := memory.NewResizableBuffer(s.mem)
	defer whole.Release()
	whole.Resize(total)
	bufs, raw := make([]*memory.Buffer, s.parts), make([][]byte, s.parts)
	at := 0
	for k, n := range sizes {
		if counts[k] == 0 {
			continue
		}
		if n == 0 {
			// Not nil inside, or the empty values of a binary array would be nil too.
			bufs[k], raw[k] = memory.NewBufferBytes([]byte{}), []byte{}
			continue
		}
		bufs[k] = memory.SliceBuffer(whole, at, n)
		raw[k] = bufs[k].Bytes()
		at += int(block.Align(int64(n)))
	}
	return bufs, raw
}

// validity scatters the validity bitmap. A partition without nulls has none.
func (s *scatterer) validity(d arrow.ArrayData, off int, ids []int32, counts []int) ([]*memory.Buffer, []int) {
	valid, nulls := block.Bytes(d, 0), make([]int, s.parts)
	if len(valid) == 0 || bitutil.CountSetBits(valid, off, len(ids)) == len(ids) {
		return make([]*memory.Buffer, s.parts), nulls
	}
	for i, id := range ids {
		k := off + i
		nulls[id] += int(^valid[k>>3]>>(k&7)) & 1
	}
	bufs := s.bits(valid, off, ids, counts)
	for k, n := range nulls {
		if n == 0 && bufs[k] != nil {
			bufs[k].Release()
			bufs[k] = nil
		}
	}
	return bufs, nulls
}

// bits scatters len(ids) bits of src from bit off on.
func (s *scatterer) bits(src []byte, off int, ids []int32, counts []int) []*memory.Buffer {
	sizes := make([]int, s.parts)
	for k, n := range counts {
		sizes[k] = int(bitutil.BytesForBits(int64(n)))
	}
	bufs, out := s.carve(sizes, counts)
	for _, b := range out {
		clear(b) // an allocator need not give zeros
	}
	pos := make([]int, s.parts)
	for i, id := range ids {
		k, at := off+i, pos[id]
		out[id][at>>3] |= src[k>>3] >> (k & 7) & 1 << (at & 7)
		pos[id] = at + 1
	}
	return bufs
}

// fixed scatters len(ids) values of width bytes from value off on.
func (s *scatterer) fixed(src []byte, off, width int, ids []int32, counts []int) []*memory.Buffer {
	sizes := make([]int, s.parts)
	for k, n := range counts {
		sizes[k] = n * width
	}
	bufs, out := s.carve(sizes, counts)
	if len(ids) == 0 {
		return bufs
	}
	src = src[off*width:]
	switch width {
	case 1:
		move[uint8](src, out, ids)
	case 2:
		move[uint16](src, out, ids)
	case 4:
		move[uint32](src, out, ids)
	case 8:
		move[uint64](src, out, ids)
	default:
		pos := make([]int, s.parts)
		for i, id := range ids {
			copy(out[id][pos[id]:], src[i*width:(i+1)*width])
			pos[id] += width
		}
	}
	return bufs
}

func move[T uint8 | uint16 | uint32 | uint64](src []byte, out [][]byte, ids []int32) {
	dst := make([][]T, len(out))
	for k, b := range out {
		dst[k] = block.Cast[T](b)
	}
	for i, v := range block.Cast[T](src)[:len(ids)] {
		d := dst[ids[i]]
		d[0] = v
		dst[ids[i]] = d[1:]
	}
}

// offsets scatters the lengths between offsets offs as offsets from 0, and
// returns the sum of the lengths of each partition too.
func offsets[T int32 | int64](s *scatterer, offs []T, ids []int32, counts []int) ([]*memory.Buffer, []int) {
	var t T
	sizes := make([]int, s.parts)
	for k, n := range counts {
		sizes[k] = (n + 1) * int(unsafe.Sizeof(t))
	}
	bufs, raw := s.carve(sizes, counts)
	out, last := make([][]T, s.parts), make([]T, s.parts)
	for k, b := range raw {
		if b != nil {
			out[k] = block.Cast[T](b)
			out[k][0] = 0
			out[k] = out[k][1:]
		}
	}
	for i, id := range ids {
		last[id] += offs[i+1] - offs[i]
		d := out[id]
		d[0] = last[id]
		out[id] = d[1:]
	}
	ends := make([]int, s.parts)
	for k, v := range last {
		ends[k] = int(v)
	}
	return bufs, ends
}

// varlen scatters strings: their offsets and bytes.
func varlen[T int32 | int64](s *scatterer, d arrow.ArrayData, off int, ids []int32, counts []int) [][]*memory.Buffer {
	offs, data := offsetsOf[T](d, off, len(ids)), block.Bytes(d, 2)
	obufs, ends := offsets(s, offs, ids, counts)
	dbufs, out := s.carve(ends, counts)
	for i, id := range ids {
		v := data[offs[i]:offs[i+1]]
		o := out[id]
		copy(o, v)
		out[id] = o[len(v):]
	}
	return [][]*memory.Buffer{obufs, dbufs}
}

// list scatters lists: their offsets, and their elements by the lists' numbers.
func list[T int32 | int64](s *scatterer, d arrow.ArrayData, off int, ids []int32, counts []int) ([]*memory.Buffer, []arrow.ArrayData) {
	offs := offsetsOf[T](d, off, len(ids))
	obufs, ends := offsets(s, offs, ids, counts)
	first, child := int(offs[0]), d.Children()[0]
	inner := make([]int32, int(offs[len(ids)])-first)
	for i, id := range ids {
		for j := int(offs[i]) - first; j < int(offs[i+1])-first; j++ {
			inner[j] = id
		}
	}
	return obufs, s.array(child, child.Offset()+first, inner, ends)
}

// fixedList scatters the elements of lists of width elements each.
func (s *scatterer) fixedList(child arrow.ArrayData, off, width int, ids []int32, counts []int) []arrow.ArrayData {
	inner, ends := make([]int32, len(ids)*width), make([]int, s.parts)
	for i, id := range ids {
		for j := range width {
			inner[i*width+j] = id
		}
	}
	for k, n := range counts {
		ends[k] = n * width
	}
	return s.array(child, child.Offset()+off*width, inner, ends)
}

// offsetsOf returns n+1 offsets of d from off on.
func offsetsOf[T int32 | int64](d arrow.ArrayData, off, n int) []T {
	if n == 0 {
		return make([]T, 1) // an empty array may have no offsets at all
	}
	return block.Cast[T](block.Bytes(d, 1))[off : off+n+1]
}
