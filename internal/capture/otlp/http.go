package otlp

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"assay/internal/capture"
)

// readTimeout bounds how long an export may take to arrive.
const readTimeout = 30 * time.Second

// Content types of exports.
const (
	typeJSON  = "application/json"
	typeProto = "application/x-protobuf"
)

// Routes answers at the paths of the specification. A token that is not empty is asked of every request.
func (r *Receiver) Routes(token string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/traces", r.Handler(Traces))
	mux.Handle("POST /v1/logs", r.Handler(Logs))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !authorized(token, req.Header.Get("Authorization")) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, needToken, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, req)
	})
}

const needToken = "a bearer token is needed: send Authorization: Bearer …"

// authorized compares digests, so that neither length nor content leaks.
func authorized(token, header string) bool {
	want, got := sha256.Sum256([]byte("Bearer "+token)), sha256.Sum256([]byte(header))
	return token == "" || subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// Handler answers POST of exports of a signal, in the encoding that they came in: 200 once they are durable, with what of them was
// rejected; else a status that says whether to try again, and a text that says what to do.
func (r *Receiver) Handler(signal Signal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
		answer, err := r.serve(w, req, signal, kind)
		if err != nil {
			refusalOf(err).write(w, kind)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(answer)
	})
}

// serve takes one export in a content type and returns the answer.
func (r *Receiver) serve(w http.ResponseWriter, req *http.Request, signal Signal, kind string) (answer []byte, err error) {
	if kind != typeJSON && kind != typeProto {
		return nil, fmt.Errorf("%w: content type %q of an export is not %s or %s", capture.ErrMedia, req.Header.Get("Content-Type"), typeJSON, typeProto)
	}
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer r.leave()
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	body, err := capture.Decompress(req.Body, req.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	export, err := io.ReadAll(io.LimitReader(body, ExportBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(export) > ExportBytesMax {
		return nil, fmt.Errorf("%w: an export has more than %d bytes; let the exporter send smaller batches", capture.ErrTooLong, ExportBytesMax)
	}
	if kind == typeProto {
		if export, err = fromProto(signal, export); err != nil {
			return nil, err
		}
	}
	left, err := r.take(req.Context(), signal, export)
	if err != nil {
		return nil, err
	}
	return encoded(signal, left, kind)
}
