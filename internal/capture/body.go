package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// zstdWindowMax bounds the memory of a zstd body's decoder.
const zstdWindowMax = 8 << 20

// body returns the body of a request, decompressed and limited.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) (io.ReadCloser, error) {
	body, err := Decompress(h.patient(w, r), r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	if h.opts.BodyBytes > 0 {
		body = &limitedBody{body, h.opts.BodyBytes}
	}
	var event []byte
	switch {
	case isBinaryCloudEvent(r.Header):
		event, err = structuredCloudEvent(r.Header, body, h.opts.Limits.EventBytes)
	case isStructuredCloudEvent(r.Header):
		event, err = ceBody(body, h.opts.Limits.EventBytes)
	default:
		return body, nil
	}
	_ = body.Close()
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(event)), nil
}

// patientBody is a body whose client may be silent for a while, but not for ever.
type patientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	idle     time.Duration
	end      time.Time // of the whole body; zero: none
	stopping context.Context
}

func (h *Handler) patient(w http.ResponseWriter, r *http.Request) *patientBody {
	b := &patientBody{r.Body, http.NewResponseController(w), h.opts.Idle, time.Time{}, h.opts.Stopping}
	if h.opts.Timeout > 0 {
		b.end = time.Now().Add(h.opts.Timeout)
	}
	return b
}

func (b *patientBody) Read(p []byte) (int, error) {
	deadline, last := time.Now().Add(b.idle), false
	if !b.end.IsZero() && deadline.After(b.end) {
		deadline, last = b.end, true
	}
	if err := b.control.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	// The end of stopping is a deadline too, at once if it has come already.
	defer context.AfterFunc(b.stopping, func() { _ = b.control.SetReadDeadline(time.Now()) })()
	n, err := b.ReadCloser.Read(p)
	if b.stopping.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return n, ErrStopping
	}
	if last && errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrTimeout
	}
	return n, err
}

// limitedBody fails with ErrTooLong where http.MaxBytesReader would, after decompression.
type limitedBody struct {
	io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, ErrTooLong
	}
	return n, err
}

// Decompress undoes the encoding of a body, piece by piece, so that little of it is ever in memory however much comes
// out. Errors wrap ErrMedia, or ErrRequest if the body is not what its encoding says.
func Decompress(body io.ReadCloser, encoding string) (io.ReadCloser, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, malformed(err, "gzip")
		}
		return encodedBody{unpacked, "gzip"}, nil
	case "zstd":
		unpacked, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindowMax))
		if err != nil {
			return nil, malformed(err, "zstd")
		}
		return encodedBody{unpacked.IOReadCloser(), "zstd"}, nil
	}
	return nil, fmt.Errorf("%w: content encoding %q is not gzip, zstd or identity", ErrMedia, encoding)
}

// encodedBody names the encoding in its errors.
type encodedBody struct {
	io.ReadCloser
	encoding string
}

func (b encodedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = malformed(err, b.encoding)
	}
	return n, err
}

func malformed(err error, encoding string) error {
	return fmt.Errorf("%w: the body is not whole or not %s: %w", ErrRequest, encoding, err)
}
