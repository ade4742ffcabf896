package mesh

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/mesh/shm"
)

func frameOf(k kind, t Tag, payload []byte) []byte {
	return append(appendHeader(nil, label(k, t), len(payload)), payload...)
}

// FuzzLanes speaks to a rank over all lanes at once. Whatever is said, the rank
// neither panics nor hangs, and its calls return.
func FuzzLanes(f *testing.F) {
	offer := frameOf(kindOffer, 1, two(1, 100))
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add(frameOf(kindSignal, 3, []byte("hello")), frameOf(kindData, 1, []byte("hello")), []byte{})
	f.Add(frameOf(kindCredit, 0, one(1<<60)), offer, frameOf(kindBody, 0, append(two(1, 0), make([]byte, 100)...)))
	f.Add(frameOf(kindWithdraw, 0, one(1)), offer, frameOf(kindBody, 0, append(two(1, 1<<60), make([]byte, 100)...)))
	f.Add(frameOf(kindFinish, 0, one(2)), append(offer, frameOf(kindData, 0, nil)...), []byte{1, 2, 3})
	f.Add(frameOf(kindAccept, 0, one(1)), frameOf(kindOffer, 1, two(1, 1<<63)), frameOf(kindBody, 0, nil))
	f.Add(append(frameOf(kindFinished, 0, nil), frameOf(kindDoorbell, 0, nil)...), frameOf(kindReference, 1, make([]byte, referenceSize)), []byte{})
	f.Fuzz(func(t *testing.T, control, data, body []byte) {
		m, peer := fuzzed()
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for _, call := range []func() error{
			func() error { _, err := m.Recv(ctx, 1, 1); return err },
			func() error { _, err := m.Recv(ctx, Any, 0); return err },
			func() error { return m.Send(ctx, 1, 1, make([]byte, 100<<10)) },
			func() error { return m.Send(ctx, 1, 1, make([]byte, 100)) },
		} {
			wg.Go(func() {
				for call() == nil {
				}
			})
		}
		var said, read sync.WaitGroup
		for i, b := range [][]byte{control, data, body} {
			said.Go(func() { _, _ = peer[i].Write(b) })
			read.Go(func() { _, _ = io.Copy(io.Discard, peer[i]) })
		}
		said.Wait()
		for _, c := range peer {
			c.Close()
		}
		stop()
		wg.Wait()
		m.Abort()
		read.Wait()
	})
}

// fuzzed is rank 0 of two, and the other ends of its lanes to rank 1.
func fuzzed() (*Mesh, [3]net.Conn) {
	cfg := Config{Rank: 0, Size: 2, Places: make([]Place, 2), Streams: 1, MaxMessage: 1 << 20}
	cfg.setDefaults()
	m := newMesh(cfg)
	m.attach(0, newLocal(m, m), nil)
	var ours, peer [3]net.Conn
	for i := range ours {
		ours[i], peer[i] = net.Pipe()
	}
	w := newWire(m, 1, ours[0])
	lane := newStream(w, ours[1], 1<<20)
	b := &bulk{conn: ours[2]}
	w.data, w.bulk = lane, []*bulk{b}
	w.readers = []func() error{lane.run, func() error { return w.readBulk(b) }}
	m.attach(1, w, nil)
	w.start()
	return m, peer
}

// FuzzHello reads what strangers say first.
func FuzzHello(f *testing.F) {
	good := hello{from: 1, to: 0, size: 2, lane: 2, lanes: 2, window: 1 << 20, ring: 1 << 18, arena: 1 << 26, id: "job/1"}
	f.Add(good.bytes())
	f.Add([]byte("GET / HTTP/1.1"))
	f.Add(bytes.Repeat([]byte{0xff}, helloSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHello(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := readHello(bytes.NewReader(h.bytes()))
		if err != nil || *again != *h {
			t.Fatalf("%+v came back as %+v: %v", h, again, err)
		}
	})
}

// FuzzRingFrame takes a frame that a peer put into the ring.
func FuzzRingFrame(f *testing.F) {
	f.Add(label(kindData, 1), []byte("hello"))
	f.Add(label(kindOffer, 1), two(1, 1<<40))
	f.Add(label(kindReference, 1), reference{0, 4096, 1 << 10}.bytes())
	f.Add(label(kindReference, 1), reference{slots, 1 << 60, 1 << 60}.bytes())
	f.Add(^uint64(0), []byte{})
	f.Fuzz(func(t *testing.T, label uint64, payload []byte) {
		m, peer := fuzzed()
		defer m.Abort()
		for _, c := range peer {
			c.Close()
		}
		s := &shared{w: m.links[1].Load().link.(*wire), arena: make([]byte, 1<<16), far: newMapping(), yours: new(returns)}
		s.far.retain()
		half := len(payload) / 2
		msg, err := s.message(&shm.Frame{Label: label, A: payload[:half], B: payload[half:]})
		if err != nil {
			if !errors.Is(err, errProtocol) {
				t.Fatalf("error %v does not blame the peer", err)
			}
			return
		}
		if msg.offer == nil && msg.owner != s && !bytes.Equal(msg.Bytes(), payload) {
			t.Fatal("the message differs from the frame")
		}
		msg.Release()
	})
}

// FuzzRecordHead reads where the buffers of a record and a dictionary lie.
func FuzzRecordHead(f *testing.F) {
	f.Add([]byte{}, uint8(1), uint8(2))
	f.Add(binary.LittleEndian.AppendUint64(make([]byte, 200), 7), uint8(2), uint8(4))
	f.Fuzz(func(t *testing.T, b []byte, arrays, buffers uint8) {
		shapes := []block.Shape{{Arrays: 1, Buffers: 2}, {Arrays: int(arrays), Buffers: int(buffers)}}
		batches, err := getBatches(b, shapes)
		if err != nil {
			return
		}
		again := make([]byte, recordHead(shapes))
		putBatches(again, batches)
		if n := 8 + 16 + 32 + 8 + 16*int(arrays) + 16*int(buffers); !bytes.Equal(again[:n], b[:n]) {
			t.Fatalf("%x came back as %x", b[:n], again[:n])
		}
	})
}

// FuzzRecord receives arbitrary bytes as a record with a dictionary: a record
// whose every value can be read, or an error that names the cause.
func FuzzRecord(f *testing.F) {
	schema := blocktest.SchemaOf(append(blocktest.Dictionaries()[:1], arrow.BinaryTypes.String, arrow.ListOf(arrow.PrimitiveTypes.Int32))...)
	r, err := NewRecords(nil, schema)
	if err != nil {
		f.Fatal(err)
	}
	for _, rows := range []int{0, 9} {
		rec := blocktest.Record(memory.DefaultAllocator, schema, rows, 0.3, 1)
		enc, err := r.encoder()
		if err != nil {
			f.Fatal(err)
		}
		head := recordHead(r.shapes)
		g := gatherer{parts: [][]byte{make([]byte, head)}}
		batches, err := encode(enc, &g, head, rec)
		if err != nil {
			f.Fatal(err)
		}
		putBatches(g.parts[0], batches)
		f.Add(bytes.Join(g.parts, nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		data := new(pool).Get(max(1, len(b)))[:len(b)]
		copy(data, b)
		rec, err := r.decode(&Message{data: data})
		if err != nil {
			if !errors.Is(err, block.ErrMalformed) {
				t.Fatalf("error %v does not blame the bytes", err)
			}
			return
		}
		_ = block.RowHash(rec)
		rec.Release()
	})
}
