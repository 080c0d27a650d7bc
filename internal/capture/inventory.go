package capture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"assay/streams"
)

// streamsBytesMax bounds the names of streams in one request for an inventory.
const streamsBytesMax = 32 << 10

// stored is a line of an inventory: a frame that the log has. The last line has no frame and says that all are told, for
// an answer may break off.
type stored struct {
	Stream   string `json:"stream,omitempty"`
	ID       string `json:"id,omitempty"` // Frame.ID
	Position uint64 `json:"position"`
	Count    int    `json:"count"`
	Sequence uint64 `json:"sequence"`
	End      bool   `json:"end,omitempty"`
}

// inventory answers GET /v1/ingest/{source}/{workflow}?stream=S&stream=…, one JSON object a line for each frame. So a client
// who captures a file again can leave out what the log has.
func (h *Handler) inventory(w http.ResponseWriter, r *http.Request) {
	found, err := h.found(r)
	if err != nil {
		refuse(w, err, nil)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	for stream, frames := range found {
		for id, f := range frames {
			if lines.Encode(stored{Stream: stream, ID: id, Position: f.Position, Count: f.Count, Sequence: f.Seq}) != nil {
				return // the client is gone
			}
		}
	}
	_ = lines.Encode(stored{End: true})
}

func (h *Handler) found(r *http.Request) (map[string]Frames, error) {
	source, workflow := streams.Source(r.PathValue("source")), r.PathValue("workflow")
	names := r.URL.Query()["stream"]
	switch {
	case !source.Valid():
		return nil, fmt.Errorf("%w: source %q is not %s", ErrRequest, source, streams.SourceNames)
	case workflow == "":
		return nil, fmt.Errorf("%w: the path names no workflow", ErrRequest)
	case len(names) == 0:
		return nil, fmt.Errorf("%w: name the streams: ?stream=NAME", ErrRequest)
	case h.opts.Stored == nil:
		return nil, nil
	}
	return h.opts.Stored(r.Context(), streams.Subject(source, workflow), names...)
}

// Stored asks the server which frames of some source streams its log has under a subject. Errors wrap ErrRemote.
func (r *Remote) Stored(ctx context.Context, subject string, names ...string) (map[string]Frames, error) {
	source, workflow, err := streams.ParseSubject(subject)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Frames, len(names))
	for len(names) > 0 {
		n, size := 1, len(names[0])
		for n < len(names) && size+len(names[n]) <= streamsBytesMax {
			size += len(names[n])
			n++
		}
		if err := r.inventory(ctx, source, workflow, names[:n], found); err != nil {
			return nil, err
		}
		names = names[n:]
	}
	return found, nil
}

// inventory adds what the server has of the streams to found.
func (r *Remote) inventory(ctx context.Context, source streams.Source, workflow string, names []string, found map[string]Frames) error {
	response, err := r.do(ctx, http.MethodGet, []string{string(source), url.PathEscape(workflow)}, url.Values{"stream": names}, nil, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		_, err := readAnswer(response)
		return err
	}
	for lines := json.NewDecoder(response.Body); ; {
		var line stored
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the list of what it has broke off", ErrRemote)
		} else if err != nil {
			return fmt.Errorf("%w: the list of what it has cannot be read: %w", ErrRemote, err)
		}
		if line.End {
			return nil
		}
		if found[line.Stream] == nil {
			found[line.Stream] = Frames{}
		}
		found[line.Stream][line.ID] = streams.StoredFrame{Position: line.Position, Count: line.Count, Seq: line.Sequence}
	}
}
