package replay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"assay/internal/capture/framing"
	"assay/streams"
)

// serveHeaderTimeout limits the wait for the headers of a request.
const serveHeaderTimeout = 10 * time.Second

// Serve offers the selected frames over HTTP until ctx ends, which is no error: every request gets all of them, from the
// first on, as they were captured and at the pace of the selection.
func Serve(ctx context.Context, listener net.Listener, log *streams.Log, s Selection) error {
	if _, err := contentTypeOf(ctx, log, s); err != nil { // better now than at the first request
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		ReadHeaderTimeout: serveHeaderTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := Answer(w, r, log, s); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("replay: serve: %w", err)
	case <-ctx.Done():
		err := server.Close()
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	}
}

// contentTypeOf is the type of the first selected frame; recordings of several types are served as NDJSON. Errors wrap
// ErrStream where the selection names a stream and has no frame of it.
func contentTypeOf(ctx context.Context, log *streams.Log, s Selection) (string, error) {
	none := true
	for frame, err := range s.frames(ctx, log) {
		if err != nil {
			return "", err
		}
		if format, err := framing.FormatOf(frame.ContentType); err == nil && format == framing.SSE && !s.JSON {
			return streams.ContentSSE, nil
		}
		none = false
		break
	}
	if none {
		return streams.ContentNDJSON, s.nothing()
	}
	return streams.ContentNDJSON, nil
}

// flushing sends each frame on at once.
type flushing struct{ http.ResponseWriter }

func (f flushing) Write(body []byte) (int, error) {
	n, err := f.ResponseWriter.Write(body)
	if err == nil {
		err = http.NewResponseController(f.ResponseWriter).Flush()
	}
	return n, err
}
