package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
)

const magic = "CAPSTAT1"

// Range is a range of key groups, of so many in all.
type Range struct{ First, End, Groups int }

// Counts is a number for each key. It is not safe for concurrent use.
type Counts struct {
	own    Range
	groups []map[string]int64
}

// NewCounts makes counts for a range. Keys of other groups may be added, too;
// they are not restored.
func NewCounts(own Range) *Counts {
	return &Counts{own: own, groups: make([]map[string]int64, own.Groups)}
}

// Add counts a key of a group and answers how often it was counted.
func (c *Counts) Add(group int, key []byte) int64 {
	m := c.groups[group]
	if m == nil {
		m = map[string]int64{}
		c.groups[group] = m
	}
	n := m[string(key)] + 1
	m[string(key)] = n
	return n
}

// Snapshot is the counts as bytes (law R1).
func (c *Counts) Snapshot() []byte {
	b := append([]byte(magic), binary.AppendUvarint(nil, uint64(c.own.Groups))...)
	for g, m := range c.groups {
		if len(m) == 0 {
			continue
		}
		b = binary.AppendUvarint(b, uint64(g))
		b = binary.AppendUvarint(b, uint64(len(m)))
		for _, key := range slices.Sorted(maps.Keys(m)) {
			b = binary.AppendUvarint(b, uint64(len(key)))
			b = append(b, key...)
			b = binary.AppendVarint(b, m[key])
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// Restore adds what a snapshot has for the range.
func (c *Counts) Restore(b []byte) error {
	body, ok := sound(b)
	if !ok {
		return damaged("its checksum is wrong")
	}
	r := reader{b: body}
	if groups := r.uvarint(); groups != uint64(c.own.Groups) {
		return core.Errorf(core.Conflict, "the snapshot has %d key groups, and the topology %d", groups, c.own.Groups).
			Do("leave keyGroups as it was")
	}
	for len(r.b) > 0 && !r.bad {
		group := r.uvarint()
		if group >= uint64(c.own.Groups) {
			return damaged(fmt.Sprintf("it has a group %d", group))
		}
		mine := int(group) >= c.own.First && int(group) < c.own.End
		for n := r.uvarint(); n > 0 && !r.bad; n-- {
			key, count := r.key(), r.varint()
			if mine && !r.bad {
				c.set(int(group), key, count)
			}
		}
	}
	if r.bad {
		return damaged("it ends in the middle of an entry")
	}
	return nil
}

// set adds a count: parts of what a key had may come from several tasks, where
// its stream was not grouped by it.
func (c *Counts) set(group int, key string, count int64) {
	if c.groups[group] == nil {
		c.groups[group] = map[string]int64{}
	}
	c.groups[group][key] += count
}

// sound takes a snapshot's frame off, if it is whole.
func sound(b []byte) ([]byte, bool) {
	end := len(b) - 4
	if end < len(magic) || string(b[:len(magic)]) != magic {
		return nil, false
	}
	sum := crc32.Checksum(b[:end], crc32.MakeTable(crc32.Castagnoli))
	return b[len(magic):end], sum == binary.LittleEndian.Uint32(b[end:])
}

func damaged(why string) error {
	return core.Errorf(core.Internal, "a snapshot of state is damaged: %s", why).Do("run the topology from an earlier epoch")
}

// reader reads numbers and keys; once one is missing, bad is set for good.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return take(r, v, n)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	return take(r, v, n)
}

func take[T int64 | uint64](r *reader, v T, n int) T {
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) key() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	key := string(r.b[:n])
	r.b = r.b[n:]
	return key
}
