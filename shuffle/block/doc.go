// Package block turns Arrow record batches into bytes and back: the inside of
// an exchange's partition.
//
// # Model
//
// A block is one record batch as an Arrow IPC stream message: a small
// flatbuffer, then the buffers of its arrays. [Encoder.Encode] writes it and
// answers with a [Batch], which says where each buffer lies. [Decode] needs
// only the schema, the Batch and the bytes: it never reads the flatbuffer, and
// copies nothing.
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
//	    never to a number it read.
//	B3  The bytes Encode writes depend on the elements alone: slicing, offsets
//	    and the unused bits of a bitmap leave no trace. What lies under a null
//	    is written as it lies.
//	B4  [RowHash] depends on the rows alone: not on their order, their batches,
//	    or what lies under a null.
//	B5  A schema's bytes are parsed only when they come from the control plane:
//	    Arrow's parser allocates what a corrupt schema asks for.
//
// # Left out
//
// Dictionaries, unions, run-end-encoded and view types: [CheckSchema] refuses
// them by name. Compression. UTF-8 validity of strings: nothing here depends
// on it.
package block
