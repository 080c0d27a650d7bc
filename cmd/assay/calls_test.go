package main

import (
	"testing"
	"time"

	"assay/internal/query"
)

// The calls that can be listed are those that the metrics count, page by page.
func TestCallsAreThoseThatMetricsCount(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	summarise(t, ingestArgs(data, recordings(t)))
	server, url := serve(t, data)
	defer server.stop(t)
	remote := query.NewRemote(url, "")
	metrics, err := remote.Capabilities(t.Context())
	if err != nil || len(metrics) == 0 {
		t.Fatal(len(metrics), err)
	}
	type counted struct{ calls, errors int64 }
	want := map[query.CallsRequest]counted{}
	for _, m := range metrics {
		hour := query.CallsRequest{From: m.Bucket, To: m.Bucket.Add(time.Hour)}
		named, provided := hour, hour
		named.Capability, provided.Capability, provided.Provider = m.Capability, m.Capability, m.Provider
		asked := []query.CallsRequest{hour, named}
		if m.Provider != "" {
			asked = append(asked, provided)
		}
		for _, of := range asked {
			c := want[of]
			want[of] = counted{c.calls + m.Calls, c.errors + m.Errors}
		}
	}
	for of, want := range want {
		var got counted
		seen := map[string]bool{}
		of.Limit = 7
		for {
			page, err := remote.Calls(t.Context(), of)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Calls {
				if seen[c.EntityUUID] {
					t.Errorf("%+v has %s twice", of, c.EntityUUID)
				}
				seen[c.EntityUUID] = true
				got.calls++
				if c.Status == "error" {
					got.errors++
				}
			}
			if of.Cursor = page.Next; of.Cursor == "" {
				break
			}
		}
		if got != want {
			t.Errorf("%+v: %+v, metrics say %+v", of, got, want)
		}
	}
}
