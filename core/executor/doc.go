// Package executor is the stream between the host and its executors, both
// ends: [Server] in the host, [Run] inside the container.
//
// # Model
//
// An executor dials out; nothing in a container listens. It trades a one-time
// token for a short-lived certificate bound to its place (job, epoch, gang,
// rank), opens one session, and waits until the host starts the whole gang.
//
//	executor                         host
//	   │ Join(token, CSR) ──────────→ │  Expect: token hashed, used once
//	   │ ←──────── certificate, place │
//	   │ Session: Hello ────────────→ │  Handler.Joined
//	   │ ←──────────────────  Welcome │
//	   │ ←────────────────────  Start │  the gang is whole
//	   │ Heartbeat, Message, Log … ─→ │
//	   │ ←────────  Message, ack …    │
//	   │ Ended ─────────────────────→ │  acknowledged, then the process exits
//
// A warm executor has joined without a place. The host's Assign sends it a
// second token; it joins again with it and opens a new session under the
// certificate of its place.
//
// What travels is of two kinds. Numbered payloads (up: message, log, ended;
// down: message) are resent after a broken connection until acknowledged, and
// arrive once and in order. State (assign, start, generation, stop) is told
// again in every session, so it needs no number and never queues behind data.
//
// # Laws
//
//	E1  A token works once, for one key. Only its hash is kept.
//	E2  A session needs a certificate of this host's CA whose id the server
//	    knows, whose place is the one it was given, and which is not fenced.
//	E3  What an executor sends after Fence reaches no Handler, in this session
//	    or any later one.
//	E4  Within one server's life no numbered payload is lost or doubled,
//	    however often the connection breaks.
//	E5  A restarted host begins new streams. Messages not yet delivered vanish
//	    (law C4 of package core); logs and the end are kept and sent again, so
//	    a log line may be seen twice across a restart of the host.
//	E6  Every queue is bounded in bytes. A slow host blocks a worker's Send; a
//	    slow worker makes the host's Send answer with an error, never block.
//	E7  An executor without a host for OrphanAfter ends itself.
//	E8  A host that slept (suspended, stopped) blames no executor for it.
//
// # Left out
//
// Starting and stopping containers (package launch), deciding what a silence
// means (the host), and data, which moves through package shuffle.
package executor
