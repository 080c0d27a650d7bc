package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"assay"
	"assay/internal/app"
	"assay/internal/config"
	"assay/internal/lance"
	"assay/internal/query"
	"assay/streams"
)

// What questions and answers look like.
type (
	RehydrateOptions = query.RehydrateOptions
	Workflow         = query.Workflow
	Entity           = query.Entity
	Promotion        = query.Promotion
	Query            = query.RecallRequest
	Hit              = query.Hit
	Origin           = query.Origin
)

// Modes of a Query.
const (
	Hybrid = query.ModeHybrid // both, fused by rank; the default
	Vector = query.ModeVector // by meaning
	Text   = query.ModeText   // by words
)

// Source is what a recorded body is.
type Source = streams.Source

// The sources.
const (
	SSE     = streams.SourceSSE     // the body of a Server-Sent Events answer
	JSONRPC = streams.SourceJSONRPC // JSON-RPC messages, one a line
	Event   = streams.SourceEvent   // state events, one a line
)

// Sentinels; test them with errors.Is.
var (
	// ErrNotFound means that nothing is known of a workflow.
	ErrNotFound = query.ErrNotFound
	// ErrRequest means that a question contradicts itself or lacks something.
	ErrRequest = query.ErrRequest
	// ErrConflict means that what was asked for cannot be done in the state that things are in.
	ErrConflict = query.ErrConflict
	// ErrFull means that the log is full and takes nothing more in.
	ErrFull = streams.ErrFull
)

// Memory is an open memory. It may be used by several goroutines at once.
type Memory struct{ pipeline *app.Pipeline }

// Option changes a setting; the defaults are those of `assay run`.
type Option func(*settings)

type settings struct {
	config config.Config
	logger *slog.Logger
}

// WithLogger has problems that mend themselves told to logger; by default they are not told.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }

// WithEmbeddings has texts embedded by a model behind OpenAI's /v1/embeddings at url instead of the built-in
// one. The key, if one is needed, is in the environment as ASSAY_EMBEDDINGS_KEY.
func WithEmbeddings(url, model string, dimensions int) Option {
	return func(s *settings) {
		s.config.Embeddings.URL, s.config.Embeddings.Model, s.config.Embeddings.Dimensions = url, model, dimensions
	}
}

// WithStore keeps the tables elsewhere than in the directory: in a folder, or in an object store (s3://, gs:// or az://), which
// options say how to reach, by the keys of the Rust crate object_store; what they leave out comes from the usual environment.
func WithStore(url string, options map[string]string) Option {
	return func(s *settings) { s.config.Store.URL, s.config.Store.Options = url, options }
}

// WithLogBytes bounds the log on disk. Once it is full, Append and Record return ErrFull.
func WithLogBytes(n int64) Option { return func(s *settings) { s.config.Log.MaxBytes = n } }

// WithRegistry has promotions published to a capability registry, of kind coreason or mcp.
func WithRegistry(url, kind string) Option {
	return func(s *settings) { s.config.Registry.URL, s.config.Registry.Kind = url, kind }
}

// Open opens the memory in a directory, creating it if need be. Close must be called. Where its tables are in an object store that does not
// answer, what is appended is kept all the same, and questions fail until it does.
func Open(ctx context.Context, dir string, options ...Option) (*Memory, error) {
	s := settings{config: config.Default(), logger: slog.New(slog.DiscardHandler)}
	s.config.Data = dir
	for _, set := range options {
		set(&s)
	}
	if err := s.config.Validate(); err != nil {
		return nil, err
	}
	stores := lance.For(s.config)
	stores.Within = lance.Within
	opened, err := app.Open(ctx, app.Options{
		Config: s.config, NATSConfig: assay.NATSConfig, Logger: s.logger,
		Stores: stores,
	})
	if err != nil {
		return nil, err
	}
	if err := opened.Start(ctx); err != nil {
		return nil, errors.Join(err, opened.Close(context.WithoutCancel(ctx)))
	}
	return &Memory{opened}, nil
}

// Append adds events to a workflow: values that encode as JSON objects, such as tool invocations and observations. They are
// durable when it returns. An event that names a workflow itself belongs to that one; one with an id of its own (event_cid,
// event_id) may be appended again and counts once.
func (m *Memory) Append(ctx context.Context, workflow string, events ...any) error {
	var body bytes.Buffer
	lines := json.NewEncoder(&body)
	for i, event := range events {
		if err := lines.Encode(event); err != nil {
			return fmt.Errorf("memory: encode event %d: %w", i, err)
		}
	}
	return m.pipeline.RecordNew(ctx, Event, workflow, uuid.NewString(), body.Bytes())
}

// Record adds a source stream as it was captured. Its bytes are durable when it returns, and kept as they are. The stream's
// id tells it from others of the workflow: what of it was recorded before is passed over, so a stream that has grown, or
// whose recording failed, is simply recorded again.
func (m *Memory) Record(ctx context.Context, source Source, workflow, stream string, body []byte) error {
	return m.pipeline.Record(ctx, source, workflow, stream, body)
}

// Rehydrate returns what is needed to resume a workflow, or ErrNotFound.
func (m *Memory) Rehydrate(ctx context.Context, workflow string, opts RehydrateOptions) (*Workflow, error) {
	return m.pipeline.View().Rehydrate(ctx, workflow, opts)
}

// Recall finds episodes, best first.
func (m *Memory) Recall(ctx context.Context, q Query) ([]Hit, error) {
	return m.pipeline.View().Recall(ctx, q)
}

// Forget removes a workflow for good, and with bronze what was captured of it from the log. It returns ErrNotFound if nothing
// is known of the workflow, and ErrConflict while promotions of it wait to be published.
func (m *Memory) Forget(ctx context.Context, workflow string, bronze bool) error {
	_, err := m.pipeline.Forget(ctx, workflow, query.ForgetOptions{Bronze: bronze, By: "memory"})
	return err
}

// Settle returns when all that was appended is in the tables, and embedded as far as the embedder answers.
func (m *Memory) Settle(ctx context.Context) error {
	return m.pipeline.WaitIdle(ctx, func(*query.Summary) {})
}

// Close stops processing and closes everything. What was appended and is not processed yet is at the next Open.
func (m *Memory) Close(ctx context.Context) error { return m.pipeline.Close(ctx) }
