package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Engine is the bare Docker engine, spoken to over its socket.
type Engine struct {
	client *http.Client
	image  string
}

// OpenEngine finds the engine of this machine, and in it the image Capstan's
// executors use, so that both start the same thing. A host must have run with
// the docker launcher before.
func OpenEngine(ctx context.Context) (*Engine, error) {
	socket := strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if socket == "" {
		socket = "/var/run/docker.sock"
	}
	e := &Engine{client: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
	var images []struct{ RepoTags []string }
	filters := url.QueryEscape(`{"reference":["capstan/base"]}`)
	if err := e.call(ctx, http.MethodGet, "/images/json?filters="+filters, nil, &images); err != nil {
		return nil, err
	}
	if len(images) == 0 || len(images[0].RepoTags) == 0 {
		return nil, core.Errorf(core.NotFound, "the engine does not have Capstan's image").Do("run a job with --launcher docker first")
	}
	e.image = images[0].RepoTags[0]
	return e, nil
}

// Start creates and starts n containers in parallel, and answers how long it
// took until the engine had started all. They are removed before it returns.
func (e *Engine) Start(ctx context.Context, n int) (took time.Duration, err error) {
	ids := make([]string, n)
	defer func() {
		err = errors.Join(err, each(n, func(i int) error {
			if ids[i] == "" {
				return nil
			}
			return e.call(context.WithoutCancel(ctx), http.MethodDelete, "/containers/"+ids[i]+"?force=true", nil, nil)
		}))
	}()
	began := time.Now()
	err = each(n, func(i int) error {
		id, err := e.create(ctx)
		if err != nil {
			return err
		}
		ids[i] = id
		return e.call(ctx, http.MethodPost, "/containers/"+id+"/start", nil, nil)
	})
	return time.Since(began), err
}

func (e *Engine) create(ctx context.Context) (string, error) {
	var made struct{ ID string }
	err := e.call(ctx, http.MethodPost, "/containers/create", map[string]any{
		"Image": e.image, "Entrypoint": []string{"/bin/sleep"}, "Cmd": []string{"600"},
		"HostConfig": map[string]any{"NetworkMode": "none", "Binds": userland()},
	}, &made)
	return made.ID, err
}

// userland is where the machine keeps the sleep command and its libraries.
func userland() []string {
	var binds []string
	for _, dir := range []string{"/usr", "/bin", "/lib", "/lib64"} {
		if _, err := os.Stat(dir); err == nil {
			binds = append(binds, dir+":"+dir+":ro")
		}
	}
	return binds
}

func each(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// call sends body as JSON and reads the answer into out; both may be nil.
func (e *Engine) call(ctx context.Context, method, path string, body, out any) error {
	var send bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&send).Encode(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, &send)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		return core.Errorf(core.Invalid, "no Docker engine answers: %v", err).Do("start one, or leave docker out of --launchers")
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		var refusal struct{ Message string }
		json.NewDecoder(resp.Body).Decode(&refusal)
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, refusal.Message)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
