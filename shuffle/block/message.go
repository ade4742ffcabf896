package block

import flatbuffers "github.com/google/flatbuffers/go"

// messageBuilder builds the flatbuffer of a record batch message: the tables
// Message and RecordBatch of Arrow's Message.fbs, written by field number
// since arrow keeps its generated code to itself.
type messageBuilder struct{ b *flatbuffers.Builder }

const (
	metadataV5        = 4 // MetadataVersion.V5
	headerRecordBatch = 3 // MessageHeader.RecordBatch
)

// build returns the flatbuffer for batch, whose extents count from the start
// of the body. The bytes are valid until the next call.
func (m *messageBuilder) build(batch *Batch, body int64) []byte {
	if m.b == nil {
		m.b = flatbuffers.NewBuilder(1024)
	}
	b := m.b
	b.Reset()

	b.StartVector(16, len(batch.Lengths), 8)
	for i := len(batch.Lengths) - 1; i >= 0; i-- {
		pair(b, batch.Lengths[i], batch.Nulls[i])
	}
	nodes := b.EndVector(len(batch.Lengths))

	b.StartVector(16, len(batch.Buffers), 8)
	for i := len(batch.Buffers) - 1; i >= 0; i-- {
		pair(b, batch.Buffers[i].Offset, batch.Buffers[i].Length)
	}
	buffers := b.EndVector(len(batch.Buffers))

	b.StartObject(4) // RecordBatch: length, nodes, buffers, compression
	b.PrependInt64Slot(0, batch.Rows, 0)
	b.PrependUOffsetTSlot(1, nodes, 0)
	b.PrependUOffsetTSlot(2, buffers, 0)
	record := b.EndObject()

	b.StartObject(5) // Message: version, header_type, header, bodyLength, custom_metadata
	b.PrependInt16Slot(0, metadataV5, 0)
	b.PrependByteSlot(1, headerRecordBatch, 0)
	b.PrependUOffsetTSlot(2, record, 0)
	b.PrependInt64Slot(3, body, 0)
	b.Finish(b.EndObject())
	return b.FinishedBytes()
}

// pair prepends the structs FieldNode and Buffer, two int64 each.
func pair(b *flatbuffers.Builder, first, second int64) {
	b.Prep(8, 16)
	b.PrependInt64(second)
	b.PrependInt64(first)
}
