package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Remote asks a running server over HTTP.
type Remote struct {
	base   string
	token  string
	client *http.Client
}

var _ View = (*Remote)(nil)

// Limits of a request to a server.
const (
	remoteTimeout   = 60 * time.Second
	maxAnswerBytes  = 1 << 30
	maxRefusalBytes = 64 << 10
)

// NewRemote returns a View of the server at base, for instance http://127.0.0.1:7070. The token may be empty.
func NewRemote(base, token string) *Remote {
	if base != "" && !strings.Contains(base, "://") {
		base = "http://" + base // as 127.0.0.1:7070 is meant
	}
	return &Remote{base: strings.TrimRight(base, "/"), token: token, client: &http.Client{Timeout: remoteTimeout}}
}

// Rehydrate implements View.
func (r *Remote) Rehydrate(ctx context.Context, workflow string, opts RehydrateOptions) (*Workflow, error) {
	query := url.Values{"limit": {strconv.Itoa(opts.Limit)}, "offset": {strconv.Itoa(opts.Offset)}}
	if !opts.At.IsZero() {
		query.Set("at", opts.At.Format(time.RFC3339Nano))
	}
	var w Workflow
	return &w, r.get(ctx, "/v1/workflows/"+url.PathEscape(workflow), query, &w)
}

// Workflows implements View.
func (r *Remote) Workflows(ctx context.Context, request WorkflowsRequest) (*WorkflowList, error) {
	query := url.Values{"limit": {strconv.Itoa(request.Limit)}, "errors": {strconv.FormatBool(request.Errors)}}
	if !request.Since.IsZero() {
		query.Set("since", request.Since.Format(time.RFC3339Nano))
	}
	for name, value := range map[string]string{"agent": request.Agent, "q": request.Words, "cursor": request.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var list WorkflowList
	return &list, r.get(ctx, "/v1/workflows", query, &list)
}

// Conversation implements View.
func (r *Remote) Conversation(ctx context.Context, workflow string, request ConversationRequest) (*Conversation, error) {
	query := url.Values{"limit": {strconv.Itoa(request.Limit)}, "backward": {strconv.FormatBool(request.Backward)}}
	if request.Cursor != "" {
		query.Set("cursor", request.Cursor)
	}
	if !request.At.IsZero() {
		query.Set("at", request.At.Format(time.RFC3339Nano))
	}
	var c Conversation
	return &c, r.get(ctx, "/v1/workflows/"+url.PathEscape(workflow)+"/conversation", query, &c)
}

// Recall implements View.
func (r *Remote) Recall(ctx context.Context, request RecallRequest) ([]Hit, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	var found Recalled
	err = r.do(ctx, http.MethodPost, "/v1/recall", bytes.NewReader(body), &found)
	return found.Hits, err
}

// Capabilities implements View.
func (r *Remote) Capabilities(ctx context.Context) ([]Capability, error) {
	var list CapabilityList
	err := r.get(ctx, "/v1/capabilities", nil, &list)
	return list.Capabilities, err
}

// Graph implements View.
func (r *Remote) Graph(ctx context.Context) (*Graph, error) {
	var g Graph
	return &g, r.get(ctx, "/v1/graph", url.Values{"format": {"json"}}, &g)
}

// Dead implements View.
func (r *Remote) Dead(ctx context.Context, request DeadRequest) (*DeadList, error) {
	var list DeadList
	return &list, r.get(ctx, "/v1/dead", url.Values{"limit": {strconv.Itoa(request.Limit)}, "cursor": {request.Cursor}}, &list)
}

// Status implements View.
func (r *Remote) Status(ctx context.Context) (*Summary, error) {
	var s Summary
	return &s, r.get(ctx, "/v1/status", nil, &s)
}

func (r *Remote) get(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return r.do(ctx, http.MethodGet, path, nil, into)
}

func (r *Remote) do(ctx context.Context, method, path string, body io.Reader, into any) error {
	response, err := r.send(ctx, r.client, method, path, body)
	if err != nil {
		return err
	}
	return r.decode(response, into)
}

func (r *Remote) decode(response *http.Response, into any) error {
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(into); err != nil {
		return fmt.Errorf("%w: the answer of %s is not what was expected: %w", ErrServer, r.base, err)
	}
	return nil
}

// send asks and returns the answer of a server that agreed; the caller closes its body.
func (r *Remote) send(ctx context.Context, client *http.Client, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: no answer from %s; is `assay run` serving there? Name another with --server, or a directory with --data: %w",
			ErrServer, r.base, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, refusal(response)
	}
	return response, nil
}

// refusal turns an error answer back into the error that caused it.
func refusal(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusalBytes)) // whatever arrived is what can be told
	var answer struct {
		Error string `json:"error"`
	}
	message := strings.TrimSpace(string(text))
	if json.Unmarshal(text, &answer) == nil && answer.Error != "" {
		message = answer.Error
	}
	switch response.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, strings.TrimPrefix(message, ErrNotFound.Error()+": "))
	case http.StatusBadRequest:
		return fmt.Errorf("%w: %s", ErrRequest, strings.TrimPrefix(message, ErrRequest.Error()+": "))
	case http.StatusConflict:
		return fmt.Errorf("%w: %s", ErrConflict, strings.TrimPrefix(message, ErrConflict.Error()+": "))
	default:
		return fmt.Errorf("%w: answered %s: %s", ErrServer, response.Status, message)
	}
}
