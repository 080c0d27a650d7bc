// Package api serves Assay over HTTP: ingest, questions, live events, metrics and health.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assay/internal/fleet"
	"assay/internal/query"
	"assay/internal/query/graph"
)

// ErrListen means that the API cannot listen where it was told to.
var ErrListen = errors.New("api: cannot listen")

// Options configure the API.
type Options struct {
	Listen  string   // host:port
	Token   string   // bearer token; "" asks for none, which is allowed on loopback addresses only
	Hosts   []string // further names of the server, see httpguard.Options
	Origins []string // origins of other pages that may send requests
	View    query.View
	Ingest  http.Handler // POST /v1/ingest/{source}/{workflow}: a capture.Handler, by internal/app/ingest.go
	Traces  http.Handler // POST /v1/traces, of OpenTelemetry; nil: none
	Logs    http.Handler // POST /v1/logs
	Forward http.Handler // GET and POST /v1/forward/{edge}
	Live    http.Handler // GET /v1/live
	Replay  http.Handler // GET /v1/replay
	Audit   Auditor
	Fleet   func(ctx context.Context) (*fleet.Status, error) // GET /v1/fleet; nil: none
	MCP     http.Handler                                     // /mcp
	Ready   func(ctx context.Context) (warnings []string, err error)
	Metrics prometheus.Gatherer
	Logger  *slog.Logger
}

// Server is a listening API.
type Server struct {
	http     *http.Server
	listener net.Listener
	done     chan error
}

// Timeouts of the server. Bodies are streamed, so only their handler bounds how long one may take.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	maxBody       = 1 << 20 // of a question, in bytes
)

// Start listens and serves until Stop. Its errors wrap ErrListen.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.Token == "" && !loopback(opts.Listen) {
		return nil, fmt.Errorf("%w: %s is reachable from elsewhere, so a token is needed: set http.token or ASSAY_HTTP_TOKEN", ErrListen, opts.Listen)
	}
	handler, err := Handler(opts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrListen, err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: is another assay serving? Choose another address with --http-listen: %w", ErrListen, err)
	}
	s := &Server{listener: listener, done: make(chan error, 1)}
	s.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(opts.Logger.Handler(), slog.LevelDebug),
	}
	stopping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.http.BaseContext = func(net.Listener) context.Context {
		return context.WithValue(context.Background(), stoppingKey{}, stopping)
	}
	s.http.RegisterOnShutdown(stop)
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// URL is where the API answers.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Stop lets requests under way finish until ctx ends, then cuts them off.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

type api struct{ Options }

type failure struct {
	Error string `json:"error"`
}

func (a *api) workflow(w http.ResponseWriter, r *http.Request) {
	limit, err1 := number(r, "limit")
	offset, err2 := number(r, "offset")
	at, err3 := instant(r, "at")
	if err := errors.Join(err1, err2, err3); err != nil {
		a.answer(w, nil, err)
		return
	}
	found, err := a.View.Rehydrate(r.Context(), r.PathValue("id"), query.RehydrateOptions{Limit: limit, Offset: offset, At: at})
	a.answer(w, found, err)
}

func (a *api) recall(w http.ResponseWriter, r *http.Request) {
	var request query.RecallRequest
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		a.answer(w, nil, fmt.Errorf("%w: %w", query.ErrRequest, err))
		return
	}
	settled, err := a.View.Settled(r.Context()) // before: what settles meanwhile may be missing among the hits
	if err != nil {
		a.answer(w, nil, err)
		return
	}
	hits, err := a.View.Recall(r.Context(), request)
	if hits == nil {
		hits = []query.Hit{}
	}
	if r.URL.Query().Get("v") == "1" { // as it was before answers told how far they reach
		a.answer(w, hits, err)
		return
	}
	a.answer(w, query.Recalled{Hits: hits, Settled: settled}, err)
}

func (a *api) capabilities(w http.ResponseWriter, r *http.Request) {
	found, err := a.View.Capabilities(r.Context())
	if found == nil {
		found = []query.Capability{}
	}
	a.answer(w, query.CapabilityList{Capabilities: found}, err)
}

func (a *api) graph(w http.ResponseWriter, r *http.Request) {
	found, err := a.View.Graph(r.Context())
	if err != nil {
		a.answer(w, nil, err)
		return
	}
	format := r.URL.Query().Get("format")
	if format == "" {
		format = graph.FormatJSON
	}
	text, contentType, err := graph.Render(found, format)
	if err != nil {
		a.answer(w, nil, fmt.Errorf("%w: %w", query.ErrRequest, err))
		return
	}
	w.Header().Set("Content-Type", contentType)
	if _, err := w.Write(text); err != nil {
		a.Logger.Debug("api: the client went away", "error", err)
	}
}

func (a *api) dead(w http.ResponseWriter, r *http.Request) {
	limit, err := number(r, "limit")
	if err != nil {
		a.answer(w, nil, err)
		return
	}
	found, err := a.View.Dead(r.Context(), query.DeadRequest{Limit: limit, Cursor: r.URL.Query().Get("cursor")})
	a.answer(w, found, err)
}

// fleet tells who works on a cluster's log.
func (a *api) fleet(w http.ResponseWriter, r *http.Request) {
	if a.Fleet == nil {
		a.answer(w, nil, fmt.Errorf("%w: this is no fleet", query.ErrNotFound))
		return
	}
	found, err := a.Fleet(r.Context())
	a.answer(w, found, err)
}

func (a *api) status(w http.ResponseWriter, r *http.Request) {
	found, err := a.View.Status(r.Context())
	a.answer(w, found, err)
}

// answer writes a result or an error, with the status that the error stands for.
func (a *api) answer(w http.ResponseWriter, result any, err error) {
	switch {
	case err == nil:
		respond(w, http.StatusOK, result)
	case errors.Is(err, query.ErrNotFound):
		respond(w, http.StatusNotFound, failure{err.Error()})
	case errors.Is(err, query.ErrRequest):
		respond(w, http.StatusBadRequest, failure{err.Error()})
	case errors.Is(err, query.ErrConflict):
		respond(w, http.StatusConflict, failure{err.Error()})
	case errors.Is(err, query.ErrUnanswered):
		respond(w, http.StatusServiceUnavailable, failure{err.Error()})
	default:
		a.Logger.Error("api: question failed", "error", err)
		respond(w, http.StatusInternalServerError, failure{err.Error()})
	}
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that has gone away is no concern of the server's.
	_ = json.NewEncoder(w).Encode(body)
}

func number(r *http.Request, name string) (int, error) {
	text := strings.TrimSpace(r.URL.Query().Get(name))
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %s must be a whole number, not %q", query.ErrRequest, name, text)
	}
	return n, nil
}

func instant(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%w: %s must be a time such as 2026-01-31T12:00:00Z, not %q", query.ErrRequest, name, text)
	}
	return t, nil
}
