package capture

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"assay/internal/capture/framing"
	"assay/internal/capture/mapping"
	"assay/streams"
)

// HeaderResume asks that what the log has already of the stream be looked up, and left out.
const HeaderResume = "Assay-Resume"

// idBytesMax bounds the ids that a request names: they become part of every frame's headers.
const idBytesMax = 1 << 10

// options reads what a request says about its body. Errors wrap ErrRequest, ErrMedia or the log's.
func (h *Handler) options(ctx context.Context, r *http.Request) (Options, error) {
	opts := Options{
		Source: streams.Source(r.PathValue("source")), Workflow: r.PathValue("workflow"),
		Limits: h.opts.Limits, Shed: h.opts.Shed, Budget: h.inFlight, Unfinished: h.unfinished,
	}
	if r.ContentLength < 0 {
		opts.Live = true // the body comes piece by piece; else the same body is always cut the same way
	}
	if !opts.Source.Valid() {
		return opts, fmt.Errorf("%w: source %q is not %s", ErrRequest, opts.Source, streams.SourceNames)
	}
	if opts.Workflow == "" || len(opts.Workflow) > idBytesMax {
		return opts, fmt.Errorf("%w: the workflow in the path has %d bytes, not 1 to %d", ErrRequest, len(opts.Workflow), idBytesMax)
	}
	var err error
	if opts.Format, err = mediaFormat(r.Header, opts.Source); err != nil {
		return opts, err
	}
	if err := readHeaders(r.Header, &opts); err != nil {
		return opts, err
	}
	if opts.Map, err = h.mapping(r, opts); err != nil {
		return opts, err
	}
	return opts, h.place(ctx, r.Header, &opts)
}

// mediaFormat returns the format of a body from its content type, by default that of the source.
func mediaFormat(header http.Header, source streams.Source) (framing.Format, error) {
	contentType := header.Get("Content-Type")
	switch {
	case isBinaryCloudEvent(header):
		return framing.JSON, nil
	case contentType == "" && source == streams.SourceSSE:
		return framing.SSE, nil
	case contentType == "":
		return framing.NDJSON, nil
	}
	if _, params, _ := mime.ParseMediaType(contentType); params["charset"] != "" {
		if charset := strings.ToLower(params["charset"]); charset != "utf-8" && charset != "us-ascii" {
			return 0, fmt.Errorf("%w: charset %q is not UTF-8", ErrMedia, charset)
		}
	}
	format, err := framing.FormatOf(contentType)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	return format, nil
}

// readHeaders reads the headers that need no look at the log.
func readHeaders(header http.Header, opts *Options) (err error) {
	if opts.Stream, err = id(header, streams.HeaderStream, idBytesMax); err != nil {
		return err
	}
	if opts.Map, err = id(header, streams.HeaderMap, streams.MapBytesMax); err != nil {
		return err
	}
	if opts.Exchange, err = id(header, streams.HeaderExchange, streams.ExchangeBytesMax); err != nil {
		return err
	}
	if v := header.Get(streams.HeaderPosition); v != "" {
		if opts.Position, err = strconv.ParseUint(v, 10, 62); err != nil || opts.Stream == "" {
			return fmt.Errorf("%w: header %s is %q: it must be a number, and needs %s", ErrRequest,
				streams.HeaderPosition, v, streams.HeaderStream)
		}
	}
	opts.Side = streams.Side(header.Get(streams.HeaderSide))
	if opts.Side != "" && opts.Side != streams.SideClient && opts.Side != streams.SideServer {
		return fmt.Errorf("%w: header %s is %q, not client or server", ErrRequest, streams.HeaderSide, opts.Side)
	}
	if v := header.Get(streams.HeaderTime); v != "" {
		if opts.Captured, err = time.Parse(time.RFC3339Nano, v); err != nil {
			return fmt.Errorf("%w: header %s is %q, not a time as in RFC 3339", ErrRequest, streams.HeaderTime, v)
		}
	}
	return nil
}

// mapping is the mapping of a request's events: that of its header, of its parameters map, or of the settings.
func (h *Handler) mapping(r *http.Request, opts Options) (string, error) {
	text, given := strings.Join(r.URL.Query()["map"], ","), r.URL.Query().Has("map")
	if _, ok := r.Header[streams.HeaderMap]; ok {
		text, given = opts.Map, true
	}
	if !given {
		text = h.opts.Map
	}
	m, err := mapping.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return mapOf(opts.Source, m.String()), nil
}

// id reads a header that holds an id of at most limit bytes, percent-encoded where needed.
func id(header http.Header, name string, limit int) (string, error) {
	value := header.Get(name)
	if decoded, err := url.PathUnescape(value); err == nil {
		value = decoded
	}
	if len(value) > limit {
		return "", fmt.Errorf("%w: header %s has more than %d bytes", ErrRequest, name, limit)
	}
	return value, nil
}

// place gives the body its stream and its position, where the request leaves them to us.
func (h *Handler) place(ctx context.Context, header http.Header, opts *Options) error {
	if opts.Stream == "" {
		opts.Stream = uuid.Must(uuid.NewV7()).String()
		return nil
	}
	var err error
	switch {
	case header.Get(HeaderResume) == "true":
		opts.Stored, err = h.opts.Stored.of(ctx, opts.Source, opts.Workflow, opts.Stream)
	case header.Get(streams.HeaderPosition) == "" && h.opts.End != nil:
		if h.opts.Edge != "" {
			opts.Stream = h.opts.Edge + "/" + opts.Stream
		}
		opts.Position, err = h.ends.of(ctx, opts.Source, opts.Workflow, opts.Stream)
	}
	if err != nil {
		return fmt.Errorf("what the log has of stream %q: %w", opts.Stream, err)
	}
	return nil
}
