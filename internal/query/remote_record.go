package query

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"assay/streams"
)

// Record has the server store a source stream; its bytes are durable when it returns.
func (r *Remote) Record(ctx context.Context, source streams.Source, workflow, stream string, body []byte) error {
	at := r.base + "/v1/ingest/" + url.PathEscape(string(source)) + "/" + url.PathEscape(workflow)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	request.Header.Set("Content-Type", streams.ContentNDJSON)
	request.Header.Set(streams.HeaderStream, streams.EscapeHeader(stream))
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: no answer from %s: %w", ErrServer, r.base, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal(response)
	}
	return nil
}
