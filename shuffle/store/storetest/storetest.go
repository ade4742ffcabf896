// Package storetest is the test kit of object stores.
//
// # Model
//
//	Run      the conformance suite: every way to reach a store passes it (the
//	         embedded server, a gate on TCP or a unix socket, a peer)
//	Start    an embedded server of the test's own; StartPeer another one's server
//	Proxy    stands before a store, with a [Fault] or a [Chaos] of them
//	Plain    minio-go without this module's client, to measure against
//
// A store that is weaker than the suite asks names what it lacks, and only that
// is skipped.
package storetest

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Capability is something a store may lack.
type Capability string

const (
	// AtomicOverwrite: who reads an object while it is replaced gets the old
	// bytes or the new ones.
	AtomicOverwrite Capability = "atomic overwrite"
	// CutSafe: a body cut off half-way is never published, whatever protects it.
	CutSafe Capability = "safe from cut bodies"
	// ConditionalRaces: of conditional writes at the same time one wins.
	ConditionalRaces Capability = "races of conditional writes"
	// ConditionalMultipart: completing an upload heeds If-None-Match.
	ConditionalMultipart Capability = "conditional multipart"
	// Links: URLs that carry their own signature.
	Links Capability = "links"
)

// Run checks the store behind access. prefix ("bucket/folder/") is an empty
// place that access may write to; what the suite leaves there is the caller's.
// A Root in access is set aside, so that every read goes through the server.
func Run(t *testing.T, access core.StoreAccess, prefix string, lacks ...Capability) {
	access.Root = ""
	c, err := store.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := suite{c: c, prefix: prefix}
	s.small, err = store.Config{Part: 5 << 20, Page: 50}.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.small.Close() })
	needs := func(what Capability, test func(*testing.T)) func(*testing.T) {
		return func(t *testing.T) {
			if slices.Contains(lacks, what) {
				t.Skipf("the store lacks: %s", what)
			}
			test(t)
		}
	}
	t.Run("RoundTrip", s.roundTrip)
	t.Run("OddKeys", s.oddKeys)
	t.Run("NotFound", s.notFound)
	t.Run("Ranges", s.ranges)
	t.Run("Unseekable", s.unseekable)
	t.Run("Multipart", s.multipart)
	t.Run("ShortSource", s.shortSource)
	t.Run("FailedUploadLeavesNothing", s.failedUpload)
	t.Run("Uploads", s.uploads)
	t.Run("IfNoneMatch", s.ifNoneMatch)
	t.Run("IfNoneMatchMultipart", needs(ConditionalMultipart, s.ifNoneMatchMultipart))
	t.Run("Racers", needs(ConditionalRaces, s.racers))
	t.Run("RacersMultipart", needs(ConditionalRaces, needs(ConditionalMultipart, s.racersMultipart)))
	t.Run("Commit", s.commit)
	t.Run("OverwriteUnderReaders", needs(AtomicOverwrite, s.overwrite))
	t.Run("CutBodies", needs(CutSafe, func(t *testing.T) { RunCut(t, access, prefix+"cut/") }))
	t.Run("Share", needs(Links, s.share))
	t.Run("ListPaging", s.listPaging)
	t.Run("DeletePrefix", s.deletePrefix)
}

type suite struct {
	c      *store.Client
	small  *store.Client // whose parts are as small as can be, and its pages of 50
	prefix string
}

// Bytes returns n bytes that look random and depend on n and seed only.
func Bytes(n int, seed uint64) []byte {
	b := make([]byte, n)
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	rand.NewChaCha8(key).Read(b)
	return b
}

// ReadAll reads the whole object.
func ReadAll(t testing.TB, c *store.Client, path string) []byte {
	t.Helper()
	r, _, err := c.Get(t.Context(), path, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s suite) put(t *testing.T, name string, b []byte) string {
	t.Helper()
	if _, err := s.c.Put(t.Context(), s.prefix+name, bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return s.prefix + name
}
