package mpi

import (
	"context"
	"time"

	"github.com/capstan-run/capstan/frameworks/mpi/waits"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Waits is what this rank waits for: that of a goroutine that sleeps for another
// rank, the longest. False where none does, as far as is known here: what waits
// for a channel or a file is not.
func (c *Comm) Waits() (waits.Wait, bool) { return c.w.waits() }

// Awaits says what the rank waits for, in the place of what is known here, for
// those that carry out what another program asks: without an Op for nothing. nil
// ends that.
func (w *World) Awaits(x *waits.Wait) {
	if x != nil {
		said := *x
		said.Number = w.said.Add(1)
		x = &said
	}
	w.Comm.w.told.Store(x)
}

func (w *world) waits() (waits.Wait, bool) {
	if told := w.told.Load(); told != nil {
		return *told, told.Op != ""
	}
	list, number := w.mesh.Waiting()
	awaited := w.awaited.Load()
	if awaited != nil && !awaited.receives && awaited.what != "" {
		t := meshTag(awaited.c.context, lanePoint, awaited.tag)
		list = append(list, mesh.Waiting{Sending: true, Rank: awaited.c.worldRank(awaited.peer), Tag: t, Mask: mesh.WholeTag})
	}
	for _, x := range list {
		// A collective that goes on by itself holds nobody up.
		if r, ok := w.background.Load(x.Tag); !ok || r.(*Request) == awaited {
			return w.describe(x, number), true
		}
	}
	return waits.Wait{}, false
}

// describe puts what the mesh knows into the words of this package.
func (w *world) describe(x mesh.Waiting, number uint64) waits.Wait {
	context, l, tag := splitTag(x.Tag)
	d := waits.Wait{Op: "Recv", Tag: tag, Comm: int(context), Name: "world", Number: number + 1}
	if name, ok := w.comms.Load(context); ok {
		d.Name = name.(string)
	}
	if x.Rank != mesh.Any {
		d.Peers = []int{x.Rank}
	}
	switch {
	case l == laneCollective:
		d.Op, d.Tag = collective(tag>>sequenceBits).String(), -1
	case l == laneControl:
		d.Op, d.Tag = "Window", -1
	case x.Sending:
		d.Op = "Send"
	case x.Mask != mesh.WholeTag:
		d.Tag = -1
	}
	return d
}

// publishEvery is how often a rank's page is brought up to date.
const publishEvery = 250 * time.Millisecond

// observe publishes what the rank waits for on the page at path, if there is to
// be one, until stop is called.
func (w *world) observe(path string) (stop func()) {
	if path == "" {
		return func() {}
	}
	page, err := waits.Map(path)
	if err != nil {
		return func() {} // a program goes on without it
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		w.publish(ctx, page)
	}()
	return func() {
		cancel()
		<-over
	}
}

// publish writes what the rank waits for to its page, until ctx ends.
func (w *world) publish(ctx context.Context, page *waits.Word) {
	defer page.Close()
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	said := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch x, waiting := w.waits(); {
		case waiting && x.Number != said:
			said = x.Number
			_ = page.Set(x) // nobody depends on it
		case !waiting && said != 0:
			said = 0
			_ = page.Clear()
		}
	}
}
