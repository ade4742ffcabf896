package block

import (
	"encoding/binary"

	flatbuffers "github.com/google/flatbuffers/go"
)

// message is the metadata of a record batch or dictionary batch: the tables
// Message, DictionaryBatch and RecordBatch of Arrow's Message.fbs, written by
// field number since arrow keeps its generated code to itself. For one schema
// it differs from batch to batch only in numbers, so it is built once and the
// numbers are put in place.
type message struct {
	bytes   []byte // framing, flatbuffer and padding: a multiple of Alignment
	rows    int    // positions in bytes: of the row count,
	body    int    // the body's length,
	nodes   int    // the first array's length,
	buffers int    // the first buffer's offset
}

const (
	metadataV5            = 4 // MetadataVersion.V5
	headerDictionaryBatch = 2 // MessageHeader
	headerRecordBatch     = 3
)

// newMessage builds the metadata of record batches of so many arrays and
// buffers, compressed with codec.
func newMessage(arrays, buffers int, codec Codec) *message {
	return buildMessage(arrays, buffers, codec, -1)
}

// newDictionaryMessage builds the metadata of the dictionary id.
func newDictionaryMessage(id int64, buffers int) *message {
	return buildMessage(1, buffers, None, id)
}

func buildMessage(arrays, buffers int, codec Codec, dictionary int64) *message {
	const present = 1 // a number that is not the default: the builder leaves that out
	b := flatbuffers.NewBuilder(1024)
	var rows, body, nodes, bufs flatbuffers.UOffsetT // from the end

	b.StartVector(16, arrays, 8)
	for range arrays {
		pair(b)
	}
	nodes = b.Offset()
	nodeVector := b.EndVector(arrays)
	b.StartVector(16, buffers, 8)
	for range buffers {
		pair(b)
	}
	bufs = b.Offset()
	bufferVector := b.EndVector(buffers)
	var compression flatbuffers.UOffsetT
	if codec != None {
		b.StartObject(2) // BodyCompression: codec, method; both may be the default
		b.PrependByteSlot(0, codec.ipc(), 0)
		compression = b.EndObject()
	}
	b.StartObject(4) // RecordBatch: length, nodes, buffers, compression
	b.PrependInt64Slot(0, present, 0)
	rows = b.Offset()
	b.PrependUOffsetTSlot(1, nodeVector, 0)
	b.PrependUOffsetTSlot(2, bufferVector, 0)
	b.PrependUOffsetTSlot(3, compression, 0)
	header, kind := b.EndObject(), byte(headerRecordBatch)
	if dictionary >= 0 {
		b.StartObject(3) // DictionaryBatch: id, data, isDelta
		b.PrependInt64Slot(0, dictionary, 0)
		b.PrependUOffsetTSlot(1, header, 0)
		header, kind = b.EndObject(), headerDictionaryBatch
	}
	b.StartObject(5) // Message: version, header_type, header, bodyLength, custom_metadata
	b.PrependInt16Slot(0, metadataV5, 0)
	b.PrependByteSlot(1, kind, 0)
	b.PrependUOffsetTSlot(2, header, 0)
	b.PrependInt64Slot(3, present, 0)
	body = b.Offset()
	b.Finish(b.EndObject())

	fb := b.FinishedBytes()
	at := func(fromEnd flatbuffers.UOffsetT) int { return 8 + len(fb) - int(fromEnd) }
	m := &message{
		bytes: make([]byte, Align(8+int64(len(fb)))),
		rows:  at(rows), body: at(body), nodes: at(nodes), buffers: at(bufs),
	}
	binary.LittleEndian.PutUint32(m.bytes, 0xffffffff)
	binary.LittleEndian.PutUint32(m.bytes[4:], uint32(len(m.bytes)-8))
	copy(m.bytes[8:], fb)
	return m
}

// pair prepends room for a struct FieldNode or Buffer, two int64 each.
func pair(b *flatbuffers.Builder) {
	b.Prep(8, 16)
	b.PrependInt64(0)
	b.PrependInt64(0)
}

// size is the length of the metadata in the stream.
func (m *message) size() int64 { return int64(len(m.bytes)) }

// put writes the metadata of batch into dst, size() bytes. The batch's extents
// count from base less than in the body; the body has body bytes.
func (m *message) put(dst []byte, batch *Batch, base, body int64) {
	dst = dst[:copy(dst, m.bytes)]
	le := binary.LittleEndian
	le.PutUint64(dst[m.rows:], uint64(batch.Rows))
	le.PutUint64(dst[m.body:], uint64(body))
	for i, n := range batch.Lengths {
		le.PutUint64(dst[m.nodes+16*i:], uint64(n))
		le.PutUint64(dst[m.nodes+16*i+8:], uint64(batch.Nulls[i]))
	}
	for i, x := range batch.Buffers {
		le.PutUint64(dst[m.buffers+16*i:], uint64(x.Offset-base))
		le.PutUint64(dst[m.buffers+16*i+8:], uint64(x.Length))
	}
}
