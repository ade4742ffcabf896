package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"os"
	"path/filepath"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

func (s *service) PutArtifact(_ context.Context, in *connect.ClientStream[apipb.PutArtifactRequest]) (*connect.Response[apipb.PutArtifactResponse], error) {
	f, err := os.CreateTemp(filepath.Join(s.h.cfg.StateDir, "tmp"), "artifact-*")
	if err != nil {
		return nil, api.ToConnect(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	sum := sha256.New()
	want, size, err := receive(in, f, sum)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	got := hex.EncodeToString(sum.Sum(nil))
	if got != want {
		return nil, api.ToConnect(core.Errorf(core.Invalid, "the upload has hash %s, not %s", got, want).Do("upload it again; the file may have changed meanwhile"))
	}
	if err := errors.Join(f.Sync(), f.Chmod(0o555), f.Close()); err != nil {
		return nil, api.ToConnect(err)
	}
	if err := s.h.shipped.put(f.Name(), got); err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&apipb.PutArtifactResponse{Sha256: got, Size: size}), nil
}

func receive(in *connect.ClientStream[apipb.PutArtifactRequest], f *os.File, sum hash.Hash) (want string, size int64, err error) {
	for in.Receive() {
		if want == "" {
			want = in.Msg().Sha256
		}
		chunk := in.Msg().Chunk
		if size += int64(len(chunk)); size > maxArtifact {
			return "", 0, core.Errorf(core.Invalid, "the file is larger than %d bytes", maxArtifact).Do("put it into the store and read it from there")
		}
		sum.Write(chunk)
		if _, err := f.Write(chunk); err != nil {
			return "", 0, err
		}
	}
	return want, size, in.Err()
}

func (s *service) HasArtifacts(_ context.Context, r *connect.Request[apipb.HasArtifactsRequest]) (*connect.Response[apipb.HasArtifactsResponse], error) {
	out := new(apipb.HasArtifactsResponse)
	for _, sum := range r.Msg.Sha256 {
		if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size {
			return nil, api.ToConnect(core.Errorf(core.Invalid, "%q is no SHA-256", sum))
		}
		if !s.h.shipped.has(sum) {
			out.Missing = append(out.Missing, sum)
		}
	}
	return connect.NewResponse(out), nil
}
