package algorithm

import (
	"context"
	"sort"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Kinds of blocks that counting triangles sends.
const (
	blockSizes uint32 = 0x5401 + iota
	blockLists
)

// triangleCount finds each triangle once, at the corner of lowest degree
// (Schank and Wagner, "Finding, counting and listing all triangles in large
// graphs", 2005; the algorithm forward), and credits its three corners.
//
//	    c         a has b and c in its list, b has c: a is marked, b's list is
//	  ↗   ↖       read. a is credited with the edges between b and c, and
//	a  →   b      so on, which is what clustering coefficients count.
//
// Lists of other ranks are read in rounds, each a range of places such that its
// lists fit the memory. A rank is sent a list once, if any vertex of its needs it.
// A round's lists travel while the one before is counted.
type triangleCount struct {
	peer   *peer.Peer
	part   *graph.Partition
	up     *upward
	hubs   *hubs
	rounds []graph.Range // of places; the first has all hubs
	round  int           // the first that is not yet counted
	cores  []credits
}

// credits are what one core has counted.
type credits struct {
	found  uint64   // triangles
	credit []uint64 // whole column, by place
	marks  *bitset  // by place: the neighbours of the vertex at hand
	double *bitset  // those of them that two edges lead to
	mask   hubMask
}

// Parts of the memory that a round's lists, and of what is left of it that the
// columns of all cores but one, may take; and the least that lists do.
const (
	listsShare   = 4
	creditsShare = 2
	leastLists   = 64 << 10
)

// newTriangleCount plans the rounds. It takes six Syncs.
func newTriangleCount(ctx context.Context, p *peer.Peer, part *graph.Partition, ways bool) (*triangleCount, error) {
	up, err := newUpward(ctx, p, part, ways)
	if err != nil {
		return nil, err
	}
	c := &triangleCount{peer: p, part: part, up: up, hubs: newHubs(part.Total(), p.Memory(), ways && part.Directed)}
	if err := part.Claim(int64(8 * (len(c.hubs.edges) + len(c.hubs.double)))); err != nil {
		return nil, err
	}
	// The first core's columns are in the room that the program states.
	perCore := int64(part.Total())*8 + int64(part.Total())/4 + 1
	c.cores = make([]credits, 1+max(0, min(int64(p.Cores())-1, part.Left()/creditsShare/perCore)))
	if err := part.Claim(int64(len(c.cores)-1) * perCore); err != nil {
		return nil, err
	}
	for i := range c.cores {
		c.cores[i] = credits{credit: wholeColumn[uint64](part), marks: newBitset(part.Total()), double: newBitset(part.Total())}
	}
	c.rounds, err = c.plan(ctx, max(min(p.Memory()/listsShare, part.Left()), leastLists))
	return c, err
}

// pieces is how many ranges of places rounds are made of.
const pieces = 1024

// plan cuts the places into rounds whose lists take no more than so many bytes,
// the same on every rank. It takes one Sync.
func (c *triangleCount) plan(ctx context.Context, budget int64) ([]graph.Range, error) {
	total := c.part.Total()
	width := max((total+pieces-1)/pieces, c.hubs.n)
	sizes := make([]uint64, pieces+1)
	for v := range c.part.N() {
		record := c.up.record(v)
		sizes[int(record[0])/width] += uint64(4*len(record)) + 8
	}
	sizes[pieces] = uint64(budget)
	for r := range c.part.Size {
		if err := c.peer.SendBlock(r, blockSizes, bytesOf(sizes)); err != nil {
			return nil, err
		}
	}
	if err := c.peer.Sync(ctx); err != nil {
		return nil, err
	}
	all := make([]uint64, pieces)
	least := uint64(budget)
	for block := range c.peer.Blocks() {
		if block.Kind != blockSizes {
			continue
		}
		theirs := columnOf[uint64](block.Data)
		for i := range all {
			all[i] += theirs[i]
		}
		least = min(least, theirs[pieces])
	}
	return cutRounds(all, width, total, least), nil
}

func cutRounds(sizes []uint64, width, total int, budget uint64) []graph.Range {
	var rounds []graph.Range
	first, sum := 0, uint64(0)
	for i, size := range sizes {
		if at := i * width; sum > 0 && sum+size > budget && at < total {
			rounds = append(rounds, graph.Range{First: first, End: at})
			first, sum = at, 0
		}
		sum += size
	}
	if first < total {
		rounds = append(rounds, graph.Range{First: first, End: total})
	}
	return rounds
}

// count counts the rounds that are left. It takes a Sync for each, and one more.
func (c *triangleCount) count(ctx context.Context) error {
	if c.round >= len(c.rounds) {
		return nil
	}
	if err := c.send(c.round); err != nil {
		return err
	}
	if err := c.peer.Sync(ctx); err != nil {
		return err
	}
	for c.round < len(c.rounds) {
		now := newLists(c, c.rounds[c.round])
		if c.round+1 < len(c.rounds) {
			if err := c.send(c.round + 1); err != nil {
				return err
			}
		}
		c.countRound(now)
		c.peer.Edges(int64(len(c.up.records) / len(c.rounds)))
		c.round++
		if err := c.peer.Sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// send sends the lists of a round to the ranks that read them.
func (c *triangleCount) send(round int) error {
	places := c.rounds[round]
	var parts [][]byte
	for r := range c.part.Size {
		if r == c.part.Rank {
			continue
		}
		parts = parts[:0]
		for _, v := range c.up.readers[r].appendSet(nil, 0, uint32(c.part.N())) {
			record := c.up.record(int(v))
			if at := int(record[0]); len(record) > 2 && places.First <= at && at < places.End {
				parts = append(parts, bytesOf(record))
			}
		}
		if len(parts) == 0 {
			continue
		}
		if err := c.peer.SendBlock(r, blockLists, parts...); err != nil {
			return err
		}
	}
	return nil
}

// lists are those of a round: own ones where they are, others in their blocks.
type lists struct {
	places graph.Range
	blocks [][]uint32
	where  []uint64 // by place: block<<40 | offset of the record+1; 0: there is none
}

func newLists(c *triangleCount, places graph.Range) *lists {
	l := &lists{places: places, where: make([]uint64, places.Len())}
	l.add(c.up.records)
	for block := range c.peer.Blocks() {
		if block.Kind == blockLists {
			l.add(columnOf[uint32](block.Data))
		}
	}
	return l
}

func (l *lists) add(records []uint32) {
	block := uint64(len(l.blocks)) << 40
	l.blocks = append(l.blocks, records)
	for at := uint64(0); at < uint64(len(records)); at += 2 + uint64(records[at+1]) {
		if place := int(records[at]); l.places.First <= place && place < l.places.End {
			l.where[place-l.places.First] = block | (at + 1)
		}
	}
}

// of is the list of a place of the round, nil where nobody's is known.
func (l *lists) of(place uint32) []uint32 {
	where := l.where[int(place)-l.places.First]
	if where == 0 {
		return nil
	}
	records := l.blocks[where>>40]
	at := where & (1<<40 - 1)
	return records[at+1 : at+1+uint64(records[at])]
}

// countRound counts the triangles whose middle corner is a place of the round.
func (c *triangleCount) countRound(now *lists) {
	first := 0 // place of the first middle corner that is looked at by its list
	if now.places.First == 0 {
		first = c.hubs.n
		for place := range uint32(first) {
			c.hubs.add(place, now.of(place))
		}
	}
	first = max(first, now.places.First)
	share(len(c.cores), &graph.CSR{Offsets: c.up.starts}, func(core, from, to int) {
		for v := from; v < to; v++ {
			record := c.up.record(v)
			if now.places.First == 0 {
				hubs := record[2:]
				n := sort.Search(len(hubs), func(i int) bool { return int(hubs[i]>>1) >= c.hubs.n })
				c.cores[core].credit[record[0]] += c.cores[core].countHubs(c.hubs, hubs[:n])
			}
			c.cores[core].countVertex(record, now, first)
		}
	})
}

// countVertex counts those of one vertex, with middle corners from first on.
func (c *credits) countVertex(record []uint32, now *lists, first int) {
	list := record[2:]
	if len(list) < 2 || int(list[0]>>1) >= now.places.End || int(list[len(list)-1]>>1) < first {
		return
	}
	for _, e := range list {
		c.marks.set(e >> 1)
		if e&1 != 0 {
			c.double.set(e >> 1)
		}
	}
	sum := uint64(0)
	for i, e := range list {
		b := e >> 1
		if int(b) < first {
			continue
		}
		if int(b) >= now.places.End {
			break
		}
		ways := uint64(1 + e&1)
		theirs := now.of(b)
		var toA, toB uint64
		if farApart*i < len(theirs) {
			toA, toB = c.search(list[:i], theirs, ways)
		} else {
			toA, toB = c.scan(theirs, ways)
		}
		sum += toA
		c.credit[b] += toB
	}
	c.credit[record[0]] += sum
	for _, e := range list {
		c.marks.words[e>>7], c.double.words[e>>7] = 0, 0
	}
}

// farApart is how many times longer than the other a list is for it to be
// searched rather than scanned.
const farApart = 12

// scan finds the marked ones of b's list.
func (c *credits) scan(theirs []uint32, ways uint64) (toA, toB uint64) {
	found := uint64(0)
	for _, f := range theirs {
		if c.marks.has(f >> 1) {
			found++
			toA += uint64(f & 1)
			toB += c.double.words[f>>7] >> (f >> 1 & 63) & 1
			c.credit[f>>1] += ways
		}
	}
	c.found += found
	return toA + found, toB + found
}

// search looks for the few of a's list, those below b, in b's much longer one.
func (c *credits) search(mine, theirs []uint32, ways uint64) (toA, toB uint64) {
	for _, e := range mine {
		want := e &^ 1
		low, high := 0, len(theirs)
		for low < high {
			if mid := int(uint(low+high) / 2); theirs[mid] < want {
				low = mid + 1
			} else {
				high = mid
			}
		}
		if low == len(theirs) {
			return toA, toB
		}
		theirs = theirs[low:]
		if f := theirs[0]; f>>1 == e>>1 {
			c.found++
			toA += uint64(1 + f&1)
			toB += uint64(1 + e&1)
			c.credit[e>>1] += ways
		}
	}
	return toA, toB
}

// total adds what the cores have counted up in the first one's columns.
func (c *triangleCount) total() *credits {
	sum := &c.cores[0]
	for i := 1; i < len(c.cores); i++ {
		other := &c.cores[i]
		for place, n := range other.credit {
			sum.credit[place] += n
		}
		clear(other.credit)
		sum.found += other.found
		other.found = 0
	}
	return sum
}

// credits gives each own vertex what all ranks have credited it with. It takes
// one Sync.
func (c *triangleCount) credits(ctx context.Context) ([]uint64, error) {
	sum := c.total()
	own := make([]uint64, c.part.N())
	first := c.part.First()
	for v := range own {
		own[v] = sum.credit[c.up.places[first+uint32(v)]]
	}
	err := collect(ctx, c.up.mirror,
		func(dense uint32) uint64 { return sum.credit[c.up.places[dense]] },
		func(dense uint32, n uint64) { own[dense-first] += n })
	return own, err
}

// save keeps what was counted.
func (c *triangleCount) save(w *peer.SnapshotWriter) error {
	sum := c.total()
	return w.Put("triangles", bytesOf([]int64{int64(c.round), int64(sum.found)}), bytesOf(sum.credit))
}

// restore goes on from what save has kept.
func (c *triangleCount) restore(head []int64, rest []byte) {
	c.round, c.cores[0].found = int(head[0]), uint64(head[1])
	copy(c.cores[0].credit, columnOf[uint64](rest))
}
