// Package embedded is the object store Capstan brings along: versitygw's S3
// server over a directory of plain files, run as a child process and watched.
//
// # Model
//
//	host process                       child process (capstan store-server)
//	Start ── Server ── stdin, stdout ── Main ── embedgw ── durable ── posix backend
//	           │ restarts, health                                          │
//	           └───── HTTP on loopback, unix socket ──────┘      <Root>/<bucket>/<key>
//
// The backend keeps an object as the plain file <Root>/<bucket>/<key>, its ETag
// and checksum in extended attributes. The server is a process of its own
// because the backend changes the working directory, the gateway has global
// state, and its memory and CPU should be accounted apart.
//
// # Laws
//
//	E1  An object appears only if as many bytes arrived as were announced. The
//	    backend alone takes a cut connection for the end of the body, and would
//	    publish the stump, even over a good object.
//	E2  A PUT, a part, a copy or a completed upload is answered after its data,
//	    its attributes and every new directory entry are synced. Data is synced
//	    before it replaces what was there. Concurrent syncs share the file
//	    system's journal commit; there is no batching of our own.
//	E3  A multipart upload is completed by one caller at a time, and only its own
//	    object counts as its success. (The backend answers "done" while another
//	    completion still runs, after a crash in the middle of one, and for an
//	    unknown upload of a key that exists.) An upload that was ended stays so:
//	    a part that arrives late is refused. (The backend would make the
//	    upload's directory anew, and list it for ever.)
//	E4  The server listens on loopback and on a unix socket beside the root that
//	    its own user alone may open, and one server owns a root at a time.
//	E5  It ends when its parent does, and not before: stdin is the leash, and
//	    signals to the whole group are not heard.
//	E6  Silence is told within ten seconds and ended after a minute: a child
//	    that answers no question for its health is killed and started again.
//
// # Left out
//
// Users and policies: the one account is the administrator's, and jobs come
// through package gate. Deletes are not synced: an object deleted just before a
// power cut may be back. Versions, lifecycle and encryption.
package embedded
