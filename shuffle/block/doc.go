// Package block turns Arrow record batches into bytes and back: the inside of
// an exchange's partition.
//
// # Model
//
// A block is one record batch as an Arrow IPC stream message: a small
// flatbuffer, then the buffers of its arrays. [Encoder.Encode] writes it and
// answers with a [Batch], which says where each buffer lies; a [Framer] puts the
// flatbuffer in front of a body that somebody else laid out. A [Decoder] needs
// only the schema, the Batch and the bytes: it never reads the flatbuffer, and
// copies nothing but what is compressed. Dictionaries are batches of one array
// in front of the records.
//
//	arrays, depth first      a            b (list)      b.item
//	message body          ┌──────┬──────┬──────┬──────┬──────┬──────┐
//	                      │valid │values│valid │offs  │valid │values│  each 64-byte aligned
//	                      └──────┴──────┴──────┴──────┴──────┴──────┘
//
// # Laws
//
//	B1  What Decode returns is safe to read: every buffer lies within the bytes
//	    given, is long enough for its array, and every offset in it ascends
//	    and stays within its child. Anything else is [ErrMalformed].
//	B2  Decode allocates in proportion to the number of arrays in the schema,
//	    never to a number it read; for a compressed batch, at most what the
//	    Batch says it was before (Raw), which is at most [MaxRaw] and what its
//	    codec could have made of the bytes.
//	B3  The bytes Encode writes depend on the elements alone: slicing, offsets
//	    and the unused bits of a bitmap leave no trace. What lies under a null
//	    is written as it lies. With a codec they depend on what was compressed
//	    before, too: a column that did not pay rests.
//	B4  [RowHash] depends on the rows alone: not on their order, their batches,
//	    or what lies under a null.
//	B5  A schema's bytes are parsed only when they come from the control plane:
//	    Arrow's parser allocates what a corrupt schema asks for.
//
// # Left out
//
// Unions, run-end-encoded and view types, and dictionaries of nested values:
// [CheckSchema] refuses them by name. Delta dictionaries. UTF-8 validity of
// strings: nothing here depends on it.
package block
