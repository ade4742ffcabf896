// Package store measures what the store client and an attempt's gate cost: the
// same objects, over the same embedded server, by minio-go alone and by way of
// package shuffle/store.
//
//	go test -run '^$' -bench . -benchtime 10x ./benchmarks/store
//
// "capstan bench store" runs it for objects of 64 MiB and judges what it says.
//
// # Model
//
//	minio-go ──────────────────────────────── loopback ──→ embedded server
//	client ────────────────────────────────── loopback ──→ embedded server
//	gate     client ── unix socket ── gate ── loopback ──→ embedded server
//	files    client ── unix socket ── gate ── unix socket ──→ embedded server, whose files it reads
//
// "gate" is an attempt's way to any S3, "files" to the embedded store. Every
// lane puts and gets one object by turns, so that what drifts on the machine
// meets all of them. Reported are minio-go's own rate, every other lane's as a
// multiple of it, both of the median round, the CPU time that client and gate
// took together, and the requests that each object took. (The server is a
// process of its own; its CPU is the same for all lanes.)
//
// # Choices
//
// minio-go is given what it is fastest with: an unsigned payload under a CRC32C
// trailer, one PUT, a fixed region, connections kept. It runs without this
// module's buffers, retries, checks and budgets.
//
// # Left out
//
// The network: all lanes are on one machine, so a lane that spends more CPU is
// slower here than it would be behind a link. The disk: with TMPDIR on a tmpfs
// the lanes differ by their CPU alone, else every PUT waits for a sync.
package store
