// Package artifact is the files that a submitter ships with a job, scripts and
// programs, as a document's body names them.
//
// # Model
//
// A document names a local file. The client uploads it, and puts its name as an
// artifact in the same place:
//
//	./mapper.py ─ upload ─→ artifact:<sha256>/mapper.py ─→ Env.Files/mapper.py
//
// A body lists its artifacts as a [List], from which the gang's ask is filled.
//
// # Laws
//
//	A1  An artifact is named by what it holds: 64 lower-case hexadecimal digits
//	    of SHA-256. Two submissions of one file are one artifact.
//	A2  Its base name names one file in one folder, whatever the document said:
//	    no separators, no "." or "..", no NUL.
//	A3  All files of a job lie in one folder, so a base name stands for one
//	    content in it. [List.Clashes] tells of documents that break this.
//
// # Left out
//
// Which places of a body may name files: each framework's spec says that, in
// core.Description.Ships. Finding the local file and uploading it: the client.
package artifact
