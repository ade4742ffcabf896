// Package output writes a job's result: each task writes parts that nobody
// sees, and the coordinator makes all of them visible in one step.
//
// # Model
//
//	task         New(PartWriter) ─ rows ─→ <attempt prefix>out/<task>.<try>/part-00003.parquet
//	coordinator  Commit([]Part)  ─┬ s3://    PUT _manifest.json if none is there; then copy the parts
//	                              └ file://  link or copy the parts to a hidden sibling; then rename it
//
// A result is a folder:
//
//	part-00003.txt        the rows (in the store: part-00003-<job>-<epoch>.txt)
//	_manifest.json        its parts with rows, bytes and CRC32C, and who wrote it
//	_SUCCESS              empty: every part is in its place
//	_dead/part-00003.jsonl  bad records that were set aside
//	_side/<name>-00003    side files of user code
//
// # Laws
//
//	O1  Before the commit's one step nothing is visible under the destination;
//	    after it everything is. The step is a conditional PUT of the manifest in
//	    the store, and a rename(2) on a disk.
//	O2  One commit wins. Committing again for the same job, of any epoch, finds
//	    what was committed, finishes it if a crash left it half placed, and
//	    returns its manifest. Of another job's result it is a conflict, or a
//	    replacement if the user asked for one.
//	O3  The bytes that become visible are the bytes the task wrote: CRC32C is
//	    taken as they are written and checked as they are placed.
//	O4  A task's try writes under its own name, so a speculative copy or a late
//	    writer damages nothing.
//
// # Decisions
//
// Parts are staged and then copied, also in the store. Writing them straight to
// the destination would save a copy on the server, but every plain S3 reader
// (Spark, DuckDB, aws s3 cp) would take parts of failed tries for data, for good
// if the job never ends. Names such a reader ignores (_parts/) would hide the
// committed data too. Between the manifest and _SUCCESS a plain reader sees some
// of the parts, as it does with Hadoop's committer; readers that begin at the
// manifest ([Open], [Cat]) find every part at once, staged or placed.
//
// A part is gathered in memory, then in a file, and put with its size known:
// the store's client would otherwise buffer or send it in many pieces.
//
// Onto the disk that the store's files lie on, parts are linked, not copied: the
// store syncs a file before it acknowledges it and never writes to it again, and
// forgets its own name for it when the attempt is swept. The files keep the
// store's extended attributes (user.*), which say nothing to other programs. They
// are read once all the same, for law O3. Onto other disks parts are copied.
//
// Replacing on a disk exchanges the two folders in one step where the file
// system can (RENAME_EXCHANGE); elsewhere the old folder is renamed away first,
// and [Sweep] brings it back if a crash came between. Replacing in the store
// notes the old manifest (_replaced.json), removes it, then commits: a crash
// between leaves no result for a moment, until the next commit finishes it or
// [Sweep] brings the old one back. Only results are replaced, never a folder of
// other files. Committers on one host take turns by a lock on the parent folder.
//
// # Left out
//
// Appending to a result, partitioned folders (key=value), and table formats.
package output
