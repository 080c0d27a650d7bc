package promotion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Of the official MCP Registry.
const (
	mcpSchema        = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
	mcpAnonymous     = "io.modelcontextprotocol.anonymous" // the namespace that needs no proof of ownership
	mcpMeta          = "io.modelcontextprotocol.registry/publisher-provided"
	mcpMetaBytesMax  = 4096 // of the publisher-provided part
	mcpNamespaceMax  = 62   // so that namespace, slash and name stay within 200 characters
	mcpNameDigestLen = 8
)

var (
	mcpNamespacePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*[a-zA-Z0-9]$`)
	mcpNamePattern      = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z0-9]$`)
)

// MCP publishes to the official MCP Registry. The knowledge is a server's name, each promotion of it a version, whose
// number carries the event_uuid; so a version that exists already is this promotion, published before.
type MCP struct {
	*transport
	namespace string
}

// serverJSON is a server.json of schema 2025-12-11.
type serverJSON struct {
	Schema      string                     `json:"$schema"`
	Name        string                     `json:"name"`
	Description string                     `json:"description"`
	Version     string                     `json:"version"`
	Meta        map[string]json.RawMessage `json:"_meta"`
}

// NewMCP returns the registry at the endpoint. Errors wrap ErrOptions.
func NewMCP(e Endpoint) (*MCP, error) {
	namespace := e.Namespace
	if namespace == "" {
		namespace = mcpAnonymous
	}
	if len(namespace) > mcpNamespaceMax || !mcpNamespacePattern.MatchString(namespace) {
		return nil, fmt.Errorf("%w: MCP namespace %q is not like com.example, of at most %d characters", ErrOptions, namespace, mcpNamespaceMax)
	}
	t, err := newTransport(e)
	if err != nil {
		return nil, err
	}
	return &MCP{transport: t, namespace: namespace}, nil
}

// Name implements Registry.
func (m *MCP) Name() string { return KindMCP + " " + m.base.Redacted() }

// Publish implements Registry. The registry answers a version that it has with 400, as it answers what it refuses; so
// such an answer is looked into before it counts as a rejection.
func (m *MCP) Publish(ctx context.Context, p *Promotion) (string, error) {
	server, err := m.server(p)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(server)
	if err != nil {
		return "", fmt.Errorf("promotion: encode %s: %w", p.EventUUID, err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	got, err := m.exchange(ctx, http.MethodPost, m.base.JoinPath("v0.1/publish"), header, body)
	if err != nil {
		return "", err
	}
	if got.status == http.StatusBadRequest {
		if urn, found, err := m.Lookup(ctx, p); err != nil || found {
			return urn, err
		}
	}
	if err := got.failure(); err != nil {
		return "", err
	}
	return m.confirm(got, p)
}

// Lookup implements Registry.
func (m *MCP) Lookup(ctx context.Context, p *Promotion) (string, bool, error) {
	target := m.base.JoinPath("v0.1/servers", url.PathEscape(m.serverName(p)), "versions", url.PathEscape(version(p)))
	target.RawQuery = "include_deleted=true"
	got, err := m.exchange(ctx, http.MethodGet, target, http.Header{"Accept": {"application/json"}}, nil)
	switch {
	case err != nil:
	case got.status == http.StatusNotFound:
		return "", false, nil
	default:
		err = got.failure()
	}
	if err != nil {
		return "", false, unknown(err)
	}
	urn, err := m.confirm(got, p)
	return urn, err == nil, err
}

// unknown makes a failure to ask an unanswered attempt, whatever it was: that the question was refused says nothing of
// the promotion.
func unknown(err error) error {
	f := &Failure{Kind: ErrUnanswered, Reason: excerpt("ask whether it is published: " + err.Error()), Err: err}
	if cause := new(Failure); errors.As(err, &cause) {
		f.Reason, f.RetryAfter, f.Err = excerpt("ask whether it is published: "+cause.Reason), cause.RetryAfter, cause.Err
	}
	return f
}

// confirm reads the registry's record of a server and checks that it is the promotion's.
func (m *MCP) confirm(got *answer, p *Promotion) (string, error) {
	var record struct {
		Server struct{ Name, Version string } `json:"server"`
	}
	name, number := m.serverName(p), version(p)
	if err := json.Unmarshal(got.body, &record); err != nil || record.Server.Name != name || record.Server.Version != number {
		return "", got.garbage("the record of " + name + " " + number)
	}
	return "urn:mcp:" + name + ":" + number, nil
}

func (m *MCP) server(p *Promotion) (*serverJSON, error) {
	provided, err := provided(p)
	if err != nil {
		return nil, err
	}
	return &serverJSON{
		Schema: mcpSchema, Name: m.serverName(p), Version: version(p),
		Description: fmt.Sprintf("Knowledge condensed from %d episodic events, compression ratio %.4g", len(p.Sources), p.CompressionRatio),
		Meta:        map[string]json.RawMessage{mcpMeta: provided},
	}, nil
}

// provided is the publisher-provided part: the promotion. Where its sources exceed what the registry takes, their
// number and the SHA-256 of their lines stand for them.
func provided(p *Promotion) (json.RawMessage, error) {
	type part struct {
		EventUUID string `json:"event_uuid"`
		*Promotion
		SourceCount  int    `json:"source_count,omitempty"`
		SourceSHA256 string `json:"source_sha256,omitempty"`
	}
	whole, err := json.Marshal(part{EventUUID: p.EventUUID, Promotion: p})
	if err != nil || len(whole) <= mcpMetaBytesMax {
		return whole, err
	}
	short := *p
	short.Sources = []string{}
	digest := sha256.Sum256([]byte(strings.Join(p.Sources, "\n")))
	return json.Marshal(part{
		EventUUID: p.EventUUID, Promotion: &short, SourceCount: len(p.Sources), SourceSHA256: hex.EncodeToString(digest[:]),
	})
}

// serverName is the knowledge's identifier under the namespace. One that is no legal name is made one, and a digest keeps
// it apart from others that would become the same.
func (m *MCP) serverName(p *Promotion) string {
	if mcpNamePattern.MatchString(p.NodeCID) {
		return m.namespace + "/" + p.NodeCID
	}
	digest := sha256.Sum256([]byte(p.NodeCID))
	legal := strings.ReplaceAll(p.NodeCID, ":", "-")
	return m.namespace + "/x" + legal + "-" + hex.EncodeToString(digest[:])[:mcpNameDigestLen]
}

// version orders the promotions of one knowledge by their time and tells them apart by their identity.
func version(p *Promotion) string {
	return fmt.Sprintf("1.0.%d-%s", p.Time().UnixMicro(), p.EventUUID)
}
