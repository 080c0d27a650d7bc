package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"assay/streams"
)

// answerBytesMax bounds what is read of a server's answer.
const answerBytesMax = 64 << 10

// Remote is a Publisher that hands frames to a running Assay over HTTP, one request each: Handler's counterpart. A
// frame that is sent again soon is recognised by the server; what it has from earlier is told by Stored.
type Remote struct {
	URL    string // of the server, such as http://127.0.0.1:7070
	Token  string // bearer token; "" if the server asks for none
	Client *http.Client
}

// Publish sends the frames in order and returns when the last one is durable. After an error the frames acknowledged
// before it are still the first ones. Errors wrap ErrRefused if the server will never take a frame, else ErrRemote.
func (r *Remote) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	acks := make([]streams.Ack, 0, len(frames))
	for _, f := range frames {
		ack, err := r.send(ctx, f)
		if err != nil {
			return acks, err
		}
		acks = append(acks, ack)
	}
	return acks, nil
}

func (r *Remote) send(ctx context.Context, f *streams.Frame) (streams.Ack, error) {
	response, err := r.do(ctx, http.MethodPost, f.Source, f.Workflow, nil, headers(f), bytes.NewReader(f.Body))
	if err != nil {
		return streams.Ack{}, err
	}
	defer response.Body.Close()
	return readAnswer(response)
}

// do sends a request about a workflow.
func (r *Remote) do(ctx context.Context, method string, source streams.Source, workflow string, query url.Values,
	header http.Header, body io.Reader,
) (*http.Response, error) {
	target, err := url.JoinPath(r.URL, "v1/ingest", string(source), url.PathEscape(workflow))
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no URL: %w", ErrRemote, r.URL, err)
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRemote, err)
	}
	if header != nil {
		request.Header = header
	}
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	response, err := r.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRemote, err)
	}
	return response, nil
}

func headers(f *streams.Frame) http.Header {
	h := http.Header{}
	h.Set(streams.HeaderContentType, f.ContentType)
	h.Set(streams.HeaderStream, url.PathEscape(f.Stream))
	h.Set(streams.HeaderPosition, strconv.FormatUint(f.Position, 10))
	h.Set(streams.HeaderTime, f.Captured.UTC().Format(time.RFC3339Nano))
	if f.Side != "" {
		h.Set(streams.HeaderSide, string(f.Side))
	}
	if f.Exchange != "" {
		h.Set(streams.HeaderExchange, url.PathEscape(f.Exchange))
	}
	return h
}

// readAnswer turns the server's answer into an acknowledgement or an error that says what the server said.
func readAnswer(response *http.Response) (streams.Ack, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return streams.Ack{}, fmt.Errorf("%w: %w", ErrRemote, err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		var answer Answer
		if err := json.Unmarshal(body, &answer); err != nil {
			return streams.Ack{}, fmt.Errorf("%w: is it an Assay server? Its answer cannot be read: %w", ErrRemote, err)
		}
		return streams.Ack{Seq: answer.Sequence}, nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return streams.Ack{}, refusal(ErrRefused, response.Status, body)
	}
	return streams.Ack{}, refusal(ErrRemote, response.Status, body)
}

func refusal(kind error, status string, body []byte) error {
	var r Refusal
	if err := json.Unmarshal(body, &r); err != nil || r.Error == "" {
		return fmt.Errorf("%w: %s", kind, status)
	}
	return fmt.Errorf("%w: %s: %s: %s", kind, status, r.Error, r.Remedy)
}
