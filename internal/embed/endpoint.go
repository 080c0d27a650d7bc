package embed

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// KeyEnv holds the endpoint's key where no file does.
const KeyEnv = "ASSAY_EMBEDDINGS_KEY"

// Limits of one request and its answer.
const (
	maxAnswerBytes  = 64 << 20
	maxRefusalBytes = 4 << 10
	maxBatch        = 2048
	maxDimensions   = 16_384
)

// Options say where a model is served and how it may be asked.
type Options struct {
	URL        string        // base of the API, with or without /v1, such as http://127.0.0.1:11434/v1
	Model      string        // as the endpoint names it
	Dimensions int           // length of the model's vectors
	Shorten    bool          // ask the endpoint for vectors of that length, where the model's own are longer
	KeyFile    string        // file that holds the bearer token; read for each request, so that it may be renewed
	BatchTexts int           // texts of one request
	Rate       float64       // requests per second at most; 0: no limit
	Timeout    time.Duration // of one request
	Attempts   int           // requests for one batch at most, where the endpoint is unavailable
	BackoffMin time.Duration // wait before the second attempt; it doubles from there
	Client     *http.Client  // nil: a client of its own
}

func (o *Options) validate() error {
	base, err := url.Parse(o.URL)
	switch {
	case err != nil, base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return fmt.Errorf("%w: %q is not an http or https URL", ErrOptions, o.URL)
	case o.Model == "":
		return fmt.Errorf("%w: a model must be named", ErrOptions)
	case o.Dimensions < 1 || o.Dimensions > maxDimensions:
		return fmt.Errorf("%w: dimensions must say how long the model's vectors are, 1 to %d", ErrOptions, maxDimensions)
	case o.BatchTexts < 1 || o.BatchTexts > maxBatch:
		return fmt.Errorf("%w: a batch must have 1 to %d texts", ErrOptions, maxBatch)
	case o.Rate < 0, o.Timeout <= 0, o.Attempts < 1, o.BackoffMin <= 0:
		return fmt.Errorf("%w: rate, timeout, attempts and backoff must be positive", ErrOptions)
	}
	return nil
}

// Endpoint embeds texts by asking a server with the OpenAI API. It may be used by several goroutines.
type Endpoint struct {
	opts  Options
	url   string
	http  *http.Client
	limit *rate.Limiter
}

// NewEndpoint returns an Endpoint; nothing is asked yet. Its errors wrap ErrOptions.
func NewEndpoint(opts Options) (*Endpoint, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	e := &Endpoint{opts: opts, url: embeddingsURL(opts.URL), http: opts.Client, limit: rate.NewLimiter(rate.Inf, 1)}
	if e.http == nil {
		e.http = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	if opts.Rate > 0 {
		e.limit.SetLimit(rate.Limit(opts.Rate))
	}
	return e, nil
}

// embeddingsURL accepts a base with and without the version, and the full path.
func embeddingsURL(base string) string {
	base = strings.TrimRight(base, "/")
	switch {
	case strings.HasSuffix(base, "/embeddings"):
		return base
	case strings.HasSuffix(base, "/v1"):
		return base + "/embeddings"
	default:
		return base + "/v1/embeddings"
	}
}

// Close ends the connections that are kept open. Requests under way go on.
func (e *Endpoint) Close() { e.http.CloseIdleConnections() }

// Model names the vectors: those of another name must not be compared with these.
func (e *Endpoint) Model() string {
	if e.opts.Shorten {
		return fmt.Sprintf("%s@%d", e.opts.Model, e.opts.Dimensions)
	}
	return e.opts.Model
}

// Dimensions returns the length of the vectors.
func (e *Endpoint) Dimensions() int { return e.opts.Dimensions }

// Embed returns the vector of each text. Its errors wrap ErrUnavailable, ErrRefused or ErrMisconfigured; nothing is
// returned unless all texts were embedded.
func (e *Endpoint) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, 0, len(texts))
	for len(texts) > 0 {
		batch := texts[:min(e.opts.BatchTexts, len(texts))]
		texts = texts[len(batch):]
		answer, err := e.embedBatch(ctx, batch)
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, answer...)
	}
	return vectors, nil
}

// key returns the bearer token, "" for none.
func (e *Endpoint) key() (string, error) {
	if e.opts.KeyFile == "" {
		return os.Getenv(KeyEnv), nil
	}
	key, err := os.ReadFile(e.opts.KeyFile)
	if err != nil {
		return "", fmt.Errorf("%w: read the key: %w", ErrMisconfigured, err)
	}
	return strings.TrimSpace(string(key)), nil
}
