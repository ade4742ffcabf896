// Package gate stands between one attempt of a job and the object store. It
// holds the real credentials; the attempt sees a small S3 of its own: the
// prefixes it was granted, for as long as the attempt lives.
//
// # Model
//
//	executors ── unix socket or TCP ── Gate ── loopback or TLS ── any S3
//	              no keys, or the        │
//	              gate's own keys        └── plain files under Root, for reads
//
// A request is authenticated (by the listener it came in on, or by SigV4 with
// the gate's keys), matched against the grants, written anew from the parts
// that were understood, signed with the real keys and streamed upstream.
//
// # Laws
//
//	G1  What is not understood is refused: methods, query parameters and
//	    x-amz-* headers are lists of what passes. Bucket and administration
//	    calls do not.
//	G2  A key is granted by the bytes it starts with. A grant "b/out" also
//	    covers "b/output"; a folder's grant ends with a slash.
//	G3  After Fence returned nil, nothing that came through the gate can still
//	    become visible (law C1 of core). A body that is not yet handed on in
//	    full is cut, and the store publishes no cut body; what was handed on in
//	    full is waited for. Later requests get 403 AttemptFenced.
//	G4  Bodies stream: the gate's memory does not grow with an object's size.
//	G5  An attempt never learns the real keys, the upstream's address, or the
//	    name of an object outside its grants.
//	G6  Grants end by themselves at Options.Expires, unless somebody extends
//	    them (Extend, Vouch): keys that were left behind are worth nothing. A request that comes
//	    later gets 403 ExpiredToken; one under way goes on, as with S3's own
//	    temporary credentials. Only the fence cuts.
//
// # Left out
//
// Payload signatures of clients (STREAMING-AWS4-HMAC-SHA256-PAYLOAD): the gate
// would have to rewrite them chunk by chunk. Clients send unsigned payload with
// a checksum trailer, as package store does. Presigned URLs and form uploads.
package gate
