package plugintest

import (
	"github.com/capstan-run/capstan/core"
)

// atOnce is how many elements of an array run together that sets no limit.
const atOnce = 3

// array is a gang that comes up once for each index.
type array struct {
	size  int
	waits []int64 // indexes, in order
	room  int     // for so many more
}

// arrayLocked brings up the first elements of an array; of one that was asked
// for before, it tells what runs.
func (g *Gang) arrayLocked(ask core.GangAsk) error {
	list, err := core.ParseArray(ask.Array)
	if err != nil {
		return core.Errorf(core.Invalid, "%v", err)
	}
	a := &array{size: ask.Size, room: list.AtOnce}
	if a.room == 0 {
		a.room = atOnce
	}
	g.arrays[ask.Name] = a
	for n := range list.Len() {
		a.waits = append(a.waits, list.Index(n))
	}
	g.grantLocked(ask.Name)
	return nil
}

// grantLocked brings up elements while there is room.
func (g *Gang) grantLocked(name string) {
	a := g.arrays[name]
	for a.room > 0 && len(a.waits) > 0 {
		index := a.waits[0]
		a.waits = a.waits[1:]
		a.room--
		g.upLocked(core.ElementName(name, index), a.size)
	}
}

// elementGoneLocked makes room for the next element if name is one's; again
// says that it waits once more.
func (g *Gang) elementGoneLocked(name string, again bool) {
	whole, index, ok := core.ElementOf(name)
	a := g.arrays[whole]
	if !ok || a == nil {
		return
	}
	a.room++
	if again {
		a.waits = append([]int64{index}, a.waits...)
	}
	g.grantLocked(whole)
}
