package work

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// masterPage is what is read of the JSON that Spark's master shows of itself
// (JsonProtocol.writeMasterState).
type masterPage struct {
	Status  string        `json:"status"`
	Workers []sparkWorker `json:"workers"`
}

type sparkWorker struct {
	Host  string `json:"host"`
	Port  int    `json:"port"`
	State string `json:"state"`
}

const (
	pollEvery = 100 * time.Millisecond
	maxPage   = 16 << 20
)

// poll asks until the answer is yes, and reports whether it ever was before ctx
// ended.
func poll(ctx context.Context, yes func(context.Context) bool) bool {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for !yes(ctx) {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

// get reads a page of JSON.
func get(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, maxPage)).Decode(into)
}
