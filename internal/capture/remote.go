package capture

import (
	"bytes"
	"context"
	"encoding/binary"
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

// Remote is a Publisher that hands frames to a running Assay over HTTP, many in a request: Handler's counterpart. A frame
// that is sent again soon is recognised by the server; what it has from earlier is told by Stored.
type Remote struct {
	URL    string // of the server, such as http://127.0.0.1:7070
	Token  string // bearer token; "" if the server asks for none
	Client *http.Client
}

// Publish sends the frames in order and returns when the last one is durable. After an error the frames acknowledged
// before it are still the first ones. Errors wrap ErrRefused if the server will never take a frame, else ErrRemote.
func (r *Remote) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	acks := make([]streams.Ack, 0, len(frames))
	for len(frames) > 0 {
		n, size := 1, len(frames[0].Body)
		for n < len(frames) && n < framesMax && size+len(frames[n].Body) <= framesBytesMax/2 { // the rest is for their headers
			size += len(frames[n].Body)
			n++
		}
		some, err := r.send(ctx, frames[:n])
		acks = append(acks, some...)
		if err != nil {
			return acks, err
		}
		frames = frames[n:]
	}
	return acks, nil
}

// send sends frames in one request. Of several only the last acknowledgement tells a sequence.
func (r *Remote) send(ctx context.Context, frames []*streams.Frame) ([]streams.Ack, error) {
	if len(frames) == 1 {
		f := frames[0]
		answer, err := r.post(ctx, []string{string(f.Source), url.PathEscape(f.Workflow)}, headers(f), f.Body)
		if err != nil {
			return nil, err
		}
		return []streams.Ack{{Seq: answer.Sequence}}, nil
	}
	var body []byte
	for _, f := range frames {
		begin := len(body)
		var err error
		if body, err = AppendFrame(append(body, 0, 0, 0, 0), f); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
		binary.LittleEndian.PutUint32(body[begin:], uint32(len(body)-begin-4))
	}
	answer, err := r.post(ctx, nil, http.Header{"Content-Type": {ContentFrames}}, body)
	acks := make([]streams.Ack, min(answer.Frames, len(frames)))
	if len(acks) > 0 {
		acks[len(acks)-1].Seq = answer.Sequence
	}
	return acks, err
}

// post sends a body to be ingested. With an error the answer tells what of it is in the log all the same.
func (r *Remote) post(ctx context.Context, path []string, header http.Header, body []byte) (Answer, error) {
	response, err := r.do(ctx, http.MethodPost, path, nil, header, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	return readAnswer(response)
}

// do sends a request to a path below that of ingest.
func (r *Remote) do(ctx context.Context, method string, path []string, query url.Values, header http.Header, body io.Reader) (*http.Response, error) {
	target, err := url.JoinPath(r.URL, append([]string{"v1/ingest"}, path...)...)
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
	h.Set(streams.HeaderMap, url.PathEscape(f.Map)) // also where there is none, in place of the server's own
	return h
}

// readAnswer returns the server's answer, with an error that says what the server said if it is a refusal.
func readAnswer(response *http.Response) (Answer, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrRemote, err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		var answer Answer
		if err := json.Unmarshal(body, &answer); err != nil {
			return Answer{}, fmt.Errorf("%w: is it an Assay server? Its answer cannot be read: %w", ErrRemote, err)
		}
		return answer, nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return refusal(ErrRefused, response.Status, body)
	}
	return refusal(ErrRemote, response.Status, body)
}

func refusal(kind error, status string, body []byte) (Answer, error) {
	r := Refusal{Accepted: &Answer{}}
	if err := json.Unmarshal(body, &r); err != nil || r.Error == "" || r.Accepted == nil {
		return Answer{}, fmt.Errorf("%w: %s", kind, status)
	}
	return *r.Accepted, fmt.Errorf("%w: %s: %s: %s", kind, status, r.Error, r.Remedy)
}
