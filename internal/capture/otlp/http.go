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

// Handler answers POST of exports of a signal: 200 once they are durable, with an answer in the type that they came in; else
// a status and a text that say what to do. Those that may be sent again are answered with Retry-After.
func (r *Receiver) Handler(signal Signal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		kind, err := r.serve(w, req, signal)
		if err != nil {
			capture.Refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", kind)
		if kind == typeJSON { // in protobuf the empty answer has no bytes
			_, _ = io.WriteString(w, "{}")
		}
	})
}

// serve takes one export and returns the content type of its answer.
func (r *Receiver) serve(w http.ResponseWriter, req *http.Request, signal Signal) (kind string, err error) {
	kind, _, err = mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || kind != typeJSON && kind != typeProto {
		return "", fmt.Errorf("%w: content type %q of an export is not %s or %s", capture.ErrMedia, req.Header.Get("Content-Type"), typeJSON, typeProto)
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return "", err
	}
	body, err := capture.Decompress(req.Body, req.Header.Get("Content-Encoding"))
	if err != nil {
		return "", err
	}
	defer body.Close()
	export, err := io.ReadAll(io.LimitReader(body, int64(r.bytesMax())+1))
	if err != nil {
		return "", err
	}
	if len(export) > r.bytesMax() {
		return "", fmt.Errorf("%w: an export has more than %d bytes; let the exporter send smaller batches", capture.ErrTooLong, r.bytesMax())
	}
	if kind == typeProto {
		if export, err = fromProto(signal, export); err != nil {
			return "", err
		}
	}
	return kind, r.take(req.Context(), signal, export)
}
