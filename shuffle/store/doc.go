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
//	            └── plain files under StoreAccess.Root, for reads, when it is set
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
//	    ends or the budget is spent. A body is sent again only if its reader can
//	    be rewound.
//	S4  Errors are *core.Error with one of this package's Err values in the
//	    chain. They name the object and what to do.
//	S5  No object's key is the folder of another's: "a" and "a/b" cannot both
//	    exist, because the embedded server keeps objects as plain files.
//
// # Left out
//
// Versions, lifecycle rules, encryption and ACLs: the embedded server has none
// of them, and jobs sweep after themselves (DeletePrefix). The local read path
// trusts the disk: blocks above this layer carry their own checksums.
package store
