// Package input finds, cuts and reads what a job reads.
//
// # Model
//
//	spec.input.path ─ List ─→ []File ─ Plan ─→ []Split ─┬ BlockReader ─→ whole lines, by the buffer
//	                                                     └ RecordReader ─→ arrow.Record, by the batch
//
// The coordinator lists and plans; a task opens the one reader that fits
// its format. A [Split] is a few [Range]s, read in order. Text goes through
// [BlockReader]: pread(2) into one reused buffer, cut at record borders, no work
// per line. CSV, JSON lines, Parquet, Arrow IPC and records of a fixed length come
// as Arrow records.
//
// # Laws
//
//	I1  A record belongs to the range in which it begins. The ranges of a file
//	    tile it, so the union over splits holds each record exactly once,
//	    whatever the split size.
//	I2  Nothing disappears in silence. A record that cannot be delivered is
//	    handed to Options.Bad with file and offset: it is too long, not UTF-8,
//	    does not parse, or lies in the unreadable rest of a corrupt file.
//	    Without Options.Bad it ends the reader with an error. Who wants its line
//	    asks [LineOf]; who finds fault with a row asks [RecordReader.BadRow] where
//	    it lies.
//	I3  Memory is bounded by the buffer, or by MaxRecord while one record is
//	    longer than the buffer. A longer record is skipped in constant memory.
//	    A batch of CSV or JSON lines ends at 8 MiB of them.
//	I4  A block ends with a newline. One is added to a file's last line that
//	    lacks it, so that blocks may be piped one after the other.
//	I5  The listing is ordered by URL, so the same files give the same splits.
//	I6  Names that begin with "." or "_" below the fixed part of a path are not
//	    input: they are other programs' bookkeeping. A file named in full is read.
//
// # Decisions
//
// A line ends at "\n"; a "\r" before it stays in the block and is dropped by
// [Block.Lines], as Hadoop does. A lone "\r" ends no line. A byte order mark at
// the front of a file is no part of its first record, but for encoding: bytes.
//
// Compression is known by name (.gz, .zst) and by magic. Neither magic is valid
// UTF-8, so text is never taken for compressed. A name that promises
// compression over content that is not is an error: decoding nothing would lose
// data, guessing would read garbage. Compressed files are never cut. A gzip file
// that was cut off exactly between two members is a whole file to every reader.
//
// A CSV record is one line: files are cut anywhere, and a field that holds a
// newline is a bad record, in every file alike, so that the split size never
// changes an answer. CSV columns are text, named by the header, which every
// file must repeat. JSON lines get their columns from a look into the files at
// planning time ([Infer]); the columns travel in the splits, so all tasks agree.
//
// Records of a fixed length may hold any bytes, so of such files only the name
// tells of compression. A record that the file's end cuts off is a bad one.
//
// A Parquet row group belongs to the range that holds its first page.
//
// A symbolic link to a file is followed if its target lies below the fixed part
// of a path, which is what executors see. Other links are refused by name.
//
// A directory that holds the manifest of a Capstan result (_manifest.json) is
// listed like any other: its parts are its plain files.
//
// Users' Arrow files are checked before and behind Arrow's reader, which trusts
// them: the framing against the file's size, and every array's buffers against
// its length; a panic in between becomes a bad record. Corrupt
// schema metadata can still exhaust memory and kill the process: that process
// is the executor, which the job loses and names, never the host.
//
// # Left out
//
// Encodings other than UTF-8 and bytes; bzip2, xz and lz4 files; splitting of
// compressed files; schemas given by the user; newlines in CSV fields.
package input
