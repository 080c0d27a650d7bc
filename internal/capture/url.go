package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"assay/internal/capture/framing"
	"assay/streams"
)

// Waiting times of a followed SSE URL.
const (
	// reconnectWait is how long to wait after a connection ends, unless the stream says otherwise (retry).
	reconnectWait = 3 * time.Second
	// reconnectWaitMax bounds the wait, which grows while the server cannot be reached.
	reconnectWaitMax = time.Minute
)

// URLInput names the source stream of an SSE URL: without user, password and query, which may hold secrets.
func URLInput(rawURL string) (Input, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return Input{}, fmt.Errorf("%w: %q is not an http or https URL", ErrNotInput, rawURL)
	}
	return Input{Path: rawURL, Stream: u.Scheme + "://" + u.Host + u.Path, Workflow: u.Host + u.Path}, nil
}

// URL follows a stream of server-sent events as the WHATWG's EventSource does: it connects again when the connection
// ends, after the time that the stream asks for (retry), says which event it had last (Last-Event-ID), and waits ever
// longer while the server is away. It ends with ctx, or without an error when the server answers 204 No Content.
//
// The events go behind those that the log has of the stream. Errors wrap ErrURL if the server refuses for good.
func (l *Live) URL(ctx context.Context, client *http.Client, in Input) (Result, error) {
	opts := l.options(in, recording{source: streams.SourceSSE, format: framing.SSE})
	stored, err := l.Stored.of(ctx, opts.Source, opts.Workflow, opts.Stream)
	if err != nil {
		return Result{}, err
	}
	opts.Position = behind(stored)
	publish, cancel := outlive(ctx)
	defer cancel()
	f := &follower{client: client, url: in.Path, recorder: New(publish, l.Publisher, opts), wait: reconnectWait, backOff: newBackOff()}
	err = f.follow(ctx, func(err error) { l.problem(in, err) })
	result, failure := f.recorder.Abandon(publish)
	if failure != nil {
		return result, failure
	}
	return result, ignoreEnd(ctx, err)
}

// behind returns the position after the last event of the frames.
func behind(stored Frames) (position uint64) {
	for _, f := range stored {
		position = max(position, f.Position+uint64(f.Count))
	}
	return position
}

func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = reconnectWait, reconnectWaitMax
	return b
}

// follower is one call of URL.
type follower struct {
	client   *http.Client
	url      string
	recorder *Recorder

	lastID  string        // of the last event that had one
	wait    time.Duration // before the next connection, as the stream asked for
	backOff *backoff.ExponentialBackOff
}

// retryAfter is the failure of a connection that may be tried again after a while; 0: after the usual one.
type retryAfter struct {
	error
	wait time.Duration
}

// follow connects until ctx ends, the server has no more to say, or there is an error that trying again will not mend.
// Others are told to lost.
func (f *follower) follow(ctx context.Context, lost func(error)) error {
	for {
		more, err := f.connect(ctx)
		wait := f.wait
		if again := (retryAfter{}); errors.As(err, &again) && ctx.Err() == nil {
			lost(err)
			wait = max(f.backOff.NextBackOff(), again.wait)
		} else if err != nil || !more {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// connect captures one connection. It reports whether the server may have more to say.
func (f *follower) connect(ctx context.Context) (more bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept", streams.ContentSSE)
	request.Header.Set("Cache-Control", "no-store")
	if f.lastID != "" {
		request.Header.Set("Last-Event-ID", f.lastID)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return true, retryAfter{error: err}
	}
	defer response.Body.Close()
	if more, err := accepted(response); err != nil || !more {
		return false, err
	}
	f.backOff.Reset()
	return true, f.events(response.Body)
}

// accepted reports whether an answer is a stream; neither a stream nor an error is the end.
func accepted(response *http.Response) (bool, error) {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch code := response.StatusCode; {
	case code == http.StatusNoContent:
		return false, nil
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return false, retryAfter{fmt.Errorf("%w: %s", ErrURL, response.Status), time.Duration(seconds) * time.Second}
	case code != http.StatusOK:
		return false, fmt.Errorf("%w: %s", ErrURL, response.Status)
	case media != streams.ContentSSE:
		return false, fmt.Errorf("%w: its content type is %q, not %s", ErrURL, media, streams.ContentSSE)
	}
	return true, nil
}

// events captures the whole events of one connection; an event that the connection's end cuts off is not one, and the
// server sends it again.
func (f *follower) events(body io.Reader) error {
	split := framing.NewSplitter(framing.SSE, f.recorder.opts.Limits.EventBytes)
	buf := make([]byte, readBytes)
	for first := true; ; {
		n, readErr := body.Read(buf)
		for unit, err := range split.Write(buf[:n]) {
			if err == nil {
				f.note(unit.Raw, first)
				first = first && unit.Events == 0
				_, err = f.recorder.Write(unit.Raw)
			} else {
				err = f.recorder.leaveOut(err)
			}
			if err != nil {
				return err
			}
		}
		if readErr != nil {
			if errors.Is(readErr, io.EOF) {
				return nil
			}
			return retryAfter{error: readErr}
		}
	}
}

// note remembers what a block says about the next connection.
func (f *follower) note(block []byte, first bool) {
	for b := range framing.Blocks(block, first) {
		if b.ID != nil {
			f.lastID = string(b.ID)
		}
		if b.Retry >= 0 {
			f.wait = min(time.Duration(b.Retry)*time.Millisecond, reconnectWaitMax)
		}
	}
}
