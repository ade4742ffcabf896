// Package api is the host's public contract on the wire: how nouns and errors
// of package core travel over connect, and the client.
//
// Documents travel as JSON objects (google.protobuf.Struct), so that curl shows
// them as they are. Errors carry an apipb.ErrorDetail, so that a kind survives
// the wire and fixes the exit code on the other side.
package api
