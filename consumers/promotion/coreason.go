package promotion

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// CoReason publishes to CoReason's capability registry. Publishing is idempotent there: the event_uuid goes along as
// Idempotency-Key, and the answer to a repeated request is the first one's.
type CoReason struct {
	*transport
	publish *url.URL
}

// NewCoReason returns the registry at the endpoint. Errors wrap ErrOptions.
func NewCoReason(e Endpoint) (*CoReason, error) {
	t, err := newTransport(e)
	if err != nil {
		return nil, err
	}
	return &CoReason{transport: t, publish: t.base.JoinPath("api/v1/registry/capabilities/publish")}, nil
}

// Name implements Registry.
func (c *CoReason) Name() string { return KindCoReason + " " + c.base.Redacted() }

// Publish implements Registry.
func (c *CoReason) Publish(ctx context.Context, p *Promotion) (string, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("promotion: encode %s: %w", p.EventUUID, err)
	}
	header := http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json"}, "Idempotency-Key": {p.EventUUID},
	}
	got, err := c.exchange(ctx, http.MethodPost, c.publish, header, body)
	if err != nil {
		return "", err
	}
	if err := got.failure(); err != nil {
		return "", err
	}
	var published struct {
		URN string `json:"urn"`
	}
	if err := json.Unmarshal(got.body, &published); err != nil || published.URN == "" {
		return "", got.garbage("a urn")
	}
	return published.URN, nil
}

// Lookup implements Registry: there is nothing to ask, for Publish may be repeated.
func (c *CoReason) Lookup(context.Context, *Promotion) (string, bool, error) { return "", false, nil }
