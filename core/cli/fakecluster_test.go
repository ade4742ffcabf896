package cli_test

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/clusterpb"
	"github.com/capstan-run/capstan/core/api/clusterpb/clusterpbconnect"
)

// fakeCluster has two volumes, one of which a job has.
type fakeCluster struct {
	clusterpbconnect.UnimplementedClusterServiceHandler
}

func (fakeCluster) Volumes(context.Context, *connect.Request[clusterpb.VolumesRequest]) (*connect.Response[clusterpb.VolumesResponse], error) {
	out := new(clusterpb.VolumesResponse)
	for _, v := range []map[string]any{
		{"volume": "db.data.0", "bytes": core.Bytes(3 << 20), "changed": time.Now().Add(-2 * time.Hour), "job": "db"},
		{"volume": "old.data.0", "bytes": core.Bytes(0), "changed": time.Now().Add(-time.Hour)},
	} {
		doc, err := api.ToStruct(v)
		if err != nil {
			return nil, err
		}
		out.Volumes = append(out.Volumes, doc)
	}
	return connect.NewResponse(out), nil
}

func (fakeCluster) RemoveVolume(_ context.Context, r *connect.Request[clusterpb.RemoveVolumeRequest]) (*connect.Response[clusterpb.RemoveVolumeResponse], error) {
	switch r.Msg.Name {
	case "db.data.0":
		return nil, api.ToConnect(core.Errorf(core.Conflict, "volume db.data.0 belongs to job db"))
	case "old.data.0":
		return connect.NewResponse(&clusterpb.RemoveVolumeResponse{}), nil
	}
	return nil, api.ToConnect(core.Errorf(core.NotFound, "no volume %q", r.Msg.Name))
}
