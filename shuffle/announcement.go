package shuffle

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Kinds of announcements, as doc.go describes them.
const (
	announceOpening   = 1
	announceRun       = 2
	announceCommitted = 3
	announceAborted   = 4
)

const announceVersion = 1

// errAnnouncement is the cause of every refusal of an announcement.
var errAnnouncement = errors.New("announcement is cut off or makes no sense")

// opening is the first announcement: what the runs are made of.
type opening struct {
	codec  string
	total  int // partitions of the producer
	lo, hi int // those announced, hi not among them
	schema []byte
}

// announced is where the messages of one run lie.
type announced struct {
	number int // of the run among those announced, from 0
	file   string
	pieces []piece // of the partitions announced; without their hashes
}

func (o *opening) marshal() []byte {
	b := []byte{announceOpening, announceVersion}
	b = appendString(b, o.codec)
	for _, n := range []int{o.total, o.lo, o.hi} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return appendString(b, string(o.schema))
}

func (r *announced) marshal() []byte {
	b := binary.AppendUvarint([]byte{announceRun}, uint64(r.number))
	b = appendString(b, r.file)
	b = binary.AppendUvarint(b, uint64(len(r.pieces)))
	for i := range r.pieces {
		x := &r.pieces[i]
		b = binary.AppendUvarint(b, uint64(x.length))
		if x.length == 0 {
			continue
		}
		b = binary.AppendUvarint(b, uint64(x.off))
		b = binary.LittleEndian.AppendUint32(b, x.crc)
		b = appendBatch(b, &x.batch)
		b = binary.AppendUvarint(b, uint64(x.batch.Raw))
	}
	return b
}

// unmarshalOpening reads what follows the kind. It leaves the schema unparsed.
func unmarshalOpening(b []byte) (opening, error) {
	d := indexDecoder{b: b}
	if v := d.count(); d.err == nil && v != announceVersion {
		return opening{}, fmt.Errorf("announcements have version %d, this program reads %d", v, announceVersion)
	}
	o := opening{codec: string(d.bytes())}
	total, lo, hi := d.count(), d.count(), d.count()
	o.schema = d.bytes()
	if d.err != nil || len(d.b) > 0 || total > MaxPartitions || lo > hi || hi > total {
		return opening{}, errAnnouncement
	}
	o.total, o.lo, o.hi = int(total), int(lo), int(hi)
	return o, nil
}

// unmarshalAnnounced reads what follows the kind. It allocates in proportion to
// len(b). Whether the places are those of messages is found when these are read.
func unmarshalAnnounced(b []byte) (announced, error) {
	d := indexDecoder{b: b}
	number := d.count()
	r := announced{file: string(d.bytes()), pieces: make([]piece, d.items(1))}
	for i := range r.pieces {
		x := &r.pieces[i]
		if x.length = d.count(); x.length == 0 {
			continue
		}
		x.off = d.count()
		if s := d.take(4); s != nil {
			x.crc = binary.LittleEndian.Uint32(s)
		}
		d.batch(&x.batch)
		x.batch.Raw = d.count()
		if x.off > maxObject || x.length > maxObject {
			d.fail()
		}
	}
	if d.err != nil || len(d.b) > 0 || number > maxObject {
		return announced{}, errAnnouncement
	}
	r.number = int(number)
	return r, nil
}

// maxObject bounds places in a file, so that sums of two do not overflow.
const maxObject = 1 << 60

// openingOf is the opening of a writer's announcements, without lo and hi.
func openingOf(schema *arrow.Schema, codec string, total int) (opening, error) {
	message, err := block.MarshalSchema(schema)
	return opening{codec: codec, total: total, schema: message}, err
}
