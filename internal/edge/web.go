package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"assay/streams"
)

const (
	// answerBytesMax bounds what is read of a hub's answer.
	answerBytesMax = 64 << 10
	// requestTimeout is how long one request may take: what the hub needs to store a batch while its log hesitates, and the way there.
	requestTimeout = 2 * time.Minute
)

// answer is what a hub says of an edge.
type answer struct {
	Log     string          `json:"log"` // id of the hub's log
	End     streams.EdgeEnd `json:"end"`
	Refused int             `json:"refused"` // frames of the request, because they hold what is forgotten
	Error   string          `json:"error,omitempty"`
	Remedy  string          `json:"remedy,omitempty"`
}

func (p Place) overHTTP() bool {
	return strings.HasPrefix(p.URL, "http://") || strings.HasPrefix(p.URL, "https://")
}

// webHub is a hub whose API is reached.
type webHub struct {
	url, token string
	client     *http.Client
}

func newWebHub(p Place) (*webHub, error) {
	target, err := url.JoinPath(p.URL, "v1/forward", p.Edge)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no URL: %w", ErrHub, p.URL, err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 1
	return &webHub{target, p.Token, &http.Client{Timeout: requestTimeout, Transport: transport}}, nil
}

func (h *webHub) Close() { h.client.CloseIdleConnections() }

func (h *webHub) End(ctx context.Context) (string, streams.EdgeEnd, error) {
	a, err := h.ask(ctx, http.MethodGet, nil)
	return a.Log, a.End, err
}

func (h *webHub) Append(ctx context.Context, msgs []*nats.Msg) (int, error) {
	var body []byte
	for _, m := range msgs {
		body = appendMsg(body, m)
	}
	a, err := h.ask(ctx, http.MethodPost, body)
	return a.Refused, err
}

func (h *webHub) ask(ctx context.Context, method string, body []byte) (a answer, err error) {
	request, err := http.NewRequestWithContext(ctx, method, h.url, bytes.NewReader(body))
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrHub, err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", ContentForward)
	}
	if h.token != "" {
		request.Header.Set("Authorization", "Bearer "+h.token)
	}
	response, err := h.client.Do(request)
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrHub, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrHub, err)
	}
	if err := json.Unmarshal(text, &a); err != nil && response.StatusCode == http.StatusOK {
		return a, fmt.Errorf("%w: is it an Assay server of this version? Its answer cannot be read: %w", ErrHub, err)
	}
	if response.StatusCode != http.StatusOK {
		return a, fmt.Errorf("%w: %s: %s: %s", ErrHub, response.Status, a.Error, a.Remedy)
	}
	return a, nil
}
