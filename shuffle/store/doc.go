// Package store is the client of the S3-compatible object store: the lowest
// rung of the exchange, and where a job's input, output and commit lie.
//
// # Model
//
// An object is named by a path, "bucket/key". It is written whole or not at
// all, and replaced whole: a reader sees the old bytes or the new ones. A
// [Client] is one identity (a [core.StoreAccess]) at one endpoint: the
// embedded server (package embedded), an attempt's gate in front of it
// (package gate, usually on a unix socket), or any S3.
//
//	worker ── Client ──unix socket── gate ──loopback── embedded server ── disk
//	host ──── Client ─────────────────────loopback────┘
//	            ├── plain files under StoreAccess.Root, for reads, when it is set
//	            └── the unix socket StoreAccess.Socket, for bodies, when it is set
//
// # Laws
//
//	S1  What Put, PutFile or Commit has acknowledged is durable and complete:
//	    every body carries a CRC32C that the server checks, and a body cut off
//	    half-way never becomes an object nor damages one.
//	S2  A commit is one conditional PUT (If-None-Match: *). Of any number of
//	    racers one wins; the same bytes committed again are a success, so a
//	    commit whose answer was lost can be repeated.
//	S3  While the store is away, calls wait and try again until their context
//	    ends or the budget is spent, with growing, jittered pauses. What another
//	    try cannot mend is told at once. A body is sent again only if its reader
//	    can be rewound.
//	S4  Errors are *core.Error with one of this package's Err values in the
//	    chain. They name the object and what to do.
//	S5  No object's key is the folder of another's: "a" and "a/b" cannot both
//	    exist, because the embedded server keeps objects as plain files.
//	S6  A read returns as many bytes as it says, from the range that was asked
//	    for, of one version of the object. Whether they are the right ones is
//	    the caller's to check: S3 gives a range no checksum.
//	S7  What is under way is bounded: bytes asked for by ranged reads and bytes
//	    held by uploads for all calls of a client together, requests for each
//	    call. A slow GET is sent a second time, for at most one in twenty; a
//	    prefix that the store slows down gets half as many requests, then
//	    gradually more again.
//	S8  Nothing is found by listing but for people, for cleaning up and for a
//	    job's input: a listing may be out of date.
//
// # What lies where
//
//	capstan/jobs/<job>/<epoch>/…     an attempt's own; swept when it ends. Objects
//	                                 of its stages spread there by [Layout].
//	<bucket>/<the user's folder>/…   results, visible by their manifest
//	uploads                          unfinished multipart uploads of either
//
// A host that dies in the middle of things leaves the first and the last:
// [Client.Garbage] finds what belongs to no live attempt, [Client.Discard]
// removes it (`capstan store gc`). [Client.Share] signs a link to a result
// (`capstan store share`).
//
// # Left out
//
// Versions, lifecycle rules, encryption and ACLs: the embedded server has none
// of them, and jobs sweep after themselves (DeletePrefix). The local read path
// trusts the disk: blocks above this layer carry their own checksums.
package store
