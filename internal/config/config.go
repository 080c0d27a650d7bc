// Package config reads Assay's settings. A flag beats the environment, the environment beats assay.yaml, and assay.yaml
// beats the default; a key that no setting has is an error that names it.
package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"assay/internal/capture"
	"assay/internal/capture/mapping"
	"assay/internal/price"
	"assay/streams"
)

// ErrInvalid means that a setting has a value which Assay cannot use, or does not exist.
var ErrInvalid = errors.New("config: invalid setting")

// Config holds every setting. The tags are the keys of assay.yaml; the environment variable of log.max_bytes is
// ASSAY_LOG_MAX_BYTES, and Settings names its flag.
type Config struct {
	Data      string `koanf:"data"`      // data directory
	Namespace string `koanf:"namespace"` // UUID in which identities lie
	Memory    int64  `koanf:"memory"`    // what the program may take in all, in bytes; 0: what its control group grants, or the machine has

	NATS       NATS           `koanf:"nats"`
	Fleet      Fleet          `koanf:"fleet"`
	Forward    Forward        `koanf:"forward"`
	Store      Store          `koanf:"store"`
	Log        Log            `koanf:"log"`
	Ingest     Ingest         `koanf:"ingest"`
	HTTP       HTTP           `koanf:"http"`
	OTLP       OTLP           `koanf:"otlp"`
	Registry   Registry       `koanf:"registry"`
	Embeddings Embeddings     `koanf:"embeddings"`
	Gate       Gate           `koanf:"gate"`
	Silver     Silver         `koanf:"silver"`
	Retention  Retention      `koanf:"retention"`
	Keys       map[string]Key `koanf:"keys"` // natural keys by kind, over the built-in table

	Prices []price.Price     `koanf:"prices"` // of models, over the built-in table
	Fields map[string]string `koanf:"fields"` // which members of the user's own events hold what: see docs/events.md

	Notes []string `koanf:"-"` // about settings that have another name now
}

// NATS says which server holds the log.
type NATS struct {
	URL         string `koanf:"url"`         // of an outside server or cluster; empty: embedded
	Credentials string `koanf:"credentials"` // path of a .creds file, with url
	Config      string `koanf:"config"`      // path of a nats.conf for the embedded server; empty: the built-in one
	Listen      string `koanf:"listen"`      // host:port of the embedded server for other NATS clients; empty: none
}

// Fleet says what part this process has among the workers of an outside cluster.
type Fleet struct {
	Name  string   `koanf:"name"`  // of this worker, its own among all; empty: the host's, with a part of its data directory's
	Roles []string `koanf:"roles"` // what it does; empty: everything
}

// Roles of a worker.
const (
	RoleCapture = "capture" // takes events in
	RoleRefine  = "refine"  // makes rows of them
	RoleFold    = "fold"    // owns partitions: folds their rows and writes tables
	RoleServe   = "serve"   // answers questions
)

// Has tells whether a worker has a role.
func (f Fleet) Has(role string) bool { return len(f.Roles) == 0 || slices.Contains(f.Roles, role) }

// validName is what a key of a bucket may be.
var validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (f Fleet) validate(check func(ok bool, key, want string)) {
	check(f.Name == "" || validName.MatchString(f.Name), "fleet.name", "up to 64 letters, digits, - and _")
	for _, role := range f.Roles {
		check(slices.Contains([]string{RoleCapture, RoleRefine, RoleFold, RoleServe}, role), "fleet.roles", "some of capture, refine, fold and serve")
	}
}

// Forward says where this node, an edge, forwards what it captures.
type Forward struct {
	URL         string `koanf:"url"`         // of a hub: of its NATS servers, separated by commas, or http(s):// of its API; empty: nowhere
	Token       string `koanf:"token"`       // bearer token of its API, or token of its NATS servers
	Credentials string `koanf:"credentials"` // path of a .creds file of its NATS servers
}

// forwardSchemes are those of hubs.
var forwardSchemes = []string{"nats", "tls", "ws", "wss", "http", "https"}

func (f Forward) validate(check func(ok bool, key, want string)) {
	if f.URL == "" {
		return
	}
	for _, one := range strings.Split(f.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		ok := err == nil && slices.Contains(forwardSchemes, u.Scheme) && u.Host != "" && (one == f.URL || !isHTTP(one))
		check(ok, "forward.url", "the URL of a hub's API, http:// or https://, or of its NATS servers, nats:// or tls://, separated by commas")
	}
}

// Store says where the tables are.
type Store struct {
	URL     string            `koanf:"url"`     // a folder, or s3://, gs:// or az://; empty: in the data directory
	Options map[string]string `koanf:"options"` // how an object store is reached; what is not said comes from the usual variables

	CacheBytes int64 `koanf:"cache_bytes"` // of an object store's files that are kept in the data directory; 0: none
}

// What a full log discards.
const (
	DiscardNew = "new"
	DiscardOld = "old"
)

// Log bounds the log.
type Log struct {
	MaxBytes   int64         `koanf:"max_bytes"`  // of BRONZE, in bytes
	MaxAge     time.Duration `koanf:"max_age"`    // of a frame; 0: kept until the log is full
	Discard    string        `koanf:"discard"`    // what a full log discards: old frames, or new ones, which it then refuses
	Replicas   int           `koanf:"replicas"`   // copies in a cluster
	Partitions int           `koanf:"partitions"` // of a new log, folded side by side; 0: one, or as the log is defined
	AckWait    time.Duration `koanf:"ack_wait"`   // longest that a consumer may work on a message before it is delivered again
}

// Ingest bounds what is captured, by files, HTTP, taps and proxies alike.
type Ingest struct {
	EventBytes int           `koanf:"event_bytes"` // largest event
	FrameBytes int           `koanf:"frame_bytes"` // size at which events share a frame no longer
	Linger     time.Duration `koanf:"linger"`      // longest wait of a live event for others to share its frame
	Streams    int           `koanf:"streams"`     // requests open at once
	Idle       time.Duration `koanf:"idle"`        // longest silence in the middle of a body
	Timeout    time.Duration `koanf:"timeout"`     // longest time that one body may take; 0: no limit
	BodyBytes  int64         `koanf:"body_bytes"`  // largest body, decompressed; 0: no limit
}

// HTTP says where the API listens.
type HTTP struct {
	Listen string `koanf:"listen"` // host:port; empty: no API
	Token  string `koanf:"token"`  // bearer token; required unless listen is a loopback address

	// What keeps pages of other sites out, of the API and of the proxy.
	Hosts   []string `koanf:"hosts"`   // names that clients may use for this server, besides loopback's and listen's
	Origins []string `koanf:"origins"` // origins of other pages that may send requests

	Remember bool `koanf:"remember"` // agents at /mcp may also store what they say
}

// OTLP says where telemetry is taken besides at the API.
type OTLP struct {
	Listen string `koanf:"listen"` // host:port of OTLP over HTTP, usually 4318; gRPC is at the port before; empty: neither
}

// Registry says where promotions go.
type Registry struct {
	URL         string        `koanf:"url"`
	Kind        string        `koanf:"kind"`        // coreason or mcp
	Namespace   string        `koanf:"namespace"`   // under which an MCP Registry lists servers, in reverse DNS form; empty: the anonymous one
	TokenFile   string        `koanf:"token_file"`  // path of a file that holds the bearer token
	CAFile      string        `koanf:"ca_file"`     // path of a PEM file with more certificate authorities
	Proxy       string        `koanf:"proxy"`       // URL of a proxy; empty: as HTTPS_PROXY and its like say
	Timeout     time.Duration `koanf:"timeout"`     // of one request
	Concurrency int           `koanf:"concurrency"` // requests at a time
	WarnAge     time.Duration `koanf:"warn_age"`    // wait of a promotion that status and /readyz warn about; 0: none
}

// Embeddings say which model turns texts into vectors.
type Embeddings struct {
	URL        string        `koanf:"url"`        // of a server with OpenAI's /v1/embeddings; empty: the built-in model
	Model      string        `koanf:"model"`      // as that server names it
	Dimensions int           `koanf:"dimensions"` // length of the model's vectors
	ModelDir   string        `koanf:"model_dir"`  // directory of a static model to use instead of the built-in one
	Shorten    bool          `koanf:"shorten"`    // ask for vectors of that length, where the model's own are longer
	KeyFile    string        `koanf:"key_file"`   // path of a file that holds the key
	Batch      int           `koanf:"batch"`      // texts of one request
	Rate       float64       `koanf:"rate"`       // requests per second at most; 0: no limit
	Timeout    time.Duration `koanf:"timeout"`    // of one request
	Attempts   int           `koanf:"attempts"`   // requests for one batch before it waits for the next round
}

// Gate configures the forget gate.
type Gate struct {
	LowWatermark  uint64  `koanf:"low_watermark"`  // frames that Silver may lag behind before anything is shed
	HighWatermark uint64  `koanf:"high_watermark"` // frames of lag at which the threshold reaches the ceiling
	Ceiling       float64 `koanf:"ceiling"`        // highest threshold, 0 to 1; 0 turns the load gate off

	// The contract of the token gate for events that carry none; a pattern of "" means none.
	DecayThreshold    float64 `koanf:"decay_threshold"`
	RepairMarkerRegex string  `koanf:"repair_marker_regex"`
	MaxLookbackWindow int     `koanf:"max_lookback_window"`
}

// Silver bounds the micro-batches.
type Silver struct {
	Workers  int           `koanf:"workers"`
	MaxRows  int           `koanf:"max_rows"`
	MaxBytes int           `koanf:"max_bytes"`
	MaxAge   time.Duration `koanf:"max_age"`
}

// Retention bounds the tables that grow with what comes in.
type Retention struct {
	Traces   Kept `koanf:"traces"`
	Entities Kept `koanf:"entities"`
	Episodes Kept `koanf:"episodes"`
	Metrics  Kept `koanf:"metrics"` // capability_metrics
}

// Kept is how long the rows of a table are kept.
type Kept struct {
	MaxAge   time.Duration `koanf:"max_age"`   // since they were last active; 0: forever
	MaxBytes int64         `koanf:"max_bytes"` // size of the table on disk at which its oldest rows are dropped; 0: no limit
}

// Key is the natural key of a kind: the columns that make it up, in order.
type Key struct {
	Components []string `koanf:"components"`
	Exact      bool     `koanf:"exact"` // keep the case
}

// Default returns the settings of a single node.
func Default() Config {
	return Config{
		Data:      "data",
		Namespace: "91e8f5f8-3e28-592a-ab23-5295dcf92dd7",
		Store:     Store{CacheBytes: 1 << 30},
		Log:       Log{MaxBytes: 32 << 30, Discard: DiscardNew, Replicas: 1, AckWait: time.Minute},
		Ingest: Ingest{
			EventBytes: capture.EventBytesMax, FrameBytes: capture.FrameBytes, Linger: capture.Linger,
			Streams: capture.OpenStreamsMax, Idle: capture.IdleMax, Timeout: capture.TimeMax,
		},
		HTTP:       HTTP{Listen: "127.0.0.1:7070"},
		Registry:   Registry{Kind: "coreason", Timeout: 5 * time.Second, Concurrency: 8, WarnAge: 24 * time.Hour},
		Embeddings: Embeddings{Batch: 64, Timeout: 30 * time.Second, Attempts: 3},
		Gate:       Gate{LowWatermark: 10_000, HighWatermark: 100_000, Ceiling: 0.9},
		Silver:     Silver{Workers: 1, MaxRows: 16_384, MaxBytes: 4 << 20, MaxAge: 25 * time.Millisecond},
	}
}

// briefest is the shortest age that is taken for what was meant.
const briefest = time.Hour

// Brief lists the settings that let rows or frames go within the hour.
func (c *Config) Brief() (settings []string) {
	for _, age := range []struct {
		key string
		max time.Duration
	}{
		{"log.max_age", c.Log.MaxAge}, {"retention.traces.max_age", c.Retention.Traces.MaxAge},
		{"retention.entities.max_age", c.Retention.Entities.MaxAge}, {"retention.episodes.max_age", c.Retention.Episodes.MaxAge},
		{"retention.metrics.max_age", c.Retention.Metrics.MaxAge},
	} {
		if age.max > 0 && age.max < briefest {
			settings = append(settings, fmt.Sprintf("%s: %v", age.key, age.max))
		}
	}
	return settings
}

// Validate reports every setting that cannot be used. Its errors wrap ErrInvalid.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, key, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: %s must be %s", ErrInvalid, key, want))
		}
	}
	scheme, _, isURL := strings.Cut(c.Store.URL, "://")
	check(!isURL || slices.Contains([]string{"s3", "gs", "az"}, scheme), "store.url", "a folder, or a URL that begins with s3://, gs:// or az://")
	check(c.Store.CacheBytes >= 0, "store.cache_bytes", "0 or a size such as 1GiB")
	check(c.Data != "", "data", "the path of a directory")
	_, err := uuid.Parse(c.Namespace)
	check(err == nil, "namespace", "a UUID")
	check(c.Memory == 0 || c.Memory >= 1<<20, "memory", "0 or a size such as 1GiB, at least 1MiB")
	check(c.Log.MaxBytes >= 1<<20, "log.max_bytes", "a size such as 32GiB, at least 1MiB")
	check(c.Log.MaxAge >= 0, "log.max_age", "0 or a duration such as 30d")
	check(c.Log.Discard == DiscardNew || c.Log.Discard == DiscardOld, "log.discard", "old (drop the oldest frames) or new (refuse new ones)")
	check(c.Log.Replicas >= 1 && c.Log.Replicas <= 5, "log.replicas", "1 to 5")
	check(c.Log.Partitions >= 0 && c.Log.Partitions <= streams.PartitionsMax, "log.partitions", "0 (as the log is defined) to 256")
	check(c.Log.AckWait >= time.Second, "log.ack_wait", "a duration such as 1m, at least 1s")
	c.Fleet.validate(check)
	c.Forward.validate(check)
	check(c.Forward.URL == "" || c.NATS.URL == "", "forward.url", "empty with nats.url: an edge has a log of its own")
	c.Ingest.validate(check)
	c.Registry.validate(check)
	c.Embeddings.validate(check)
	if _, err := mapping.Of(c.Fields); err != nil {
		errs = append(errs, fmt.Errorf("%w: fields: %w", ErrInvalid, err))
	}
	if _, err := price.New(c.Prices); err != nil {
		errs = append(errs, fmt.Errorf("%w: prices: %w", ErrInvalid, err))
	}
	check(c.Gate.Ceiling >= 0 && c.Gate.Ceiling <= 1, "gate.ceiling", "between 0 and 1")
	check(c.Gate.HighWatermark > c.Gate.LowWatermark, "gate.high_watermark", "above gate.low_watermark")
	check(c.Gate.DecayThreshold >= 0 && c.Gate.DecayThreshold <= 1, "gate.decay_threshold", "between 0 and 1")
	check(c.Silver.Workers >= 1 && c.Silver.Workers <= 64, "silver.workers", "1 to 64")
	check(c.Silver.MaxRows >= 1, "silver.max_rows", "at least 1")
	check(c.Silver.MaxBytes >= 1<<10, "silver.max_bytes", "a size such as 4MiB, at least 1KiB")
	check(c.Silver.MaxAge > 0, "silver.max_age", "a positive duration such as 25ms")
	for name, kept := range map[string]Kept{
		"traces": c.Retention.Traces, "entities": c.Retention.Entities, "episodes": c.Retention.Episodes, "metrics": c.Retention.Metrics,
	} {
		check(kept.MaxAge >= 0, "retention."+name+".max_age", "0 or a duration such as 90d")
		check(kept.MaxBytes >= 0, "retention."+name+".max_bytes", "0 or a size such as 10GB")
	}
	return errors.Join(errs...)
}

// The log takes no message above 64 MiB, and a row of Silver may hold an event three times: raw, as text and as payload.
func (i *Ingest) validate(check func(ok bool, key, want string)) {
	check(i.EventBytes >= 1<<10 && i.EventBytes <= 16<<20, "ingest.event_bytes", "1KiB to 16MiB")
	check(i.FrameBytes >= 1<<10 && i.FrameBytes <= 8<<20, "ingest.frame_bytes", "1KiB to 8MiB")
	check(i.Linger > 0 && i.Linger <= time.Second, "ingest.linger", "a duration such as 5ms, up to 1s")
	check(i.Streams >= 1 && i.Streams <= 65_536, "ingest.streams", "1 to 65536")
	check(i.Idle > 0, "ingest.idle", "a positive duration such as 2m")
	check(i.Timeout >= 0, "ingest.timeout", "0 or a duration such as 24h")
	check(i.BodyBytes >= 0, "ingest.body_bytes", "0 or a size such as 10GiB")
}

func (r *Registry) validate(check func(ok bool, key, want string)) {
	check(r.URL == "" || isHTTP(r.URL), "registry.url", "an http or https URL")
	check(r.Kind == "coreason" || r.Kind == "mcp", "registry.kind", "coreason or mcp")
	check(r.Namespace == "" || r.Kind == "mcp", "registry.namespace", "empty unless registry.kind is mcp")
	check(r.Timeout > 0 && r.Timeout <= 10*time.Minute, "registry.timeout", "a duration such as 5s, up to 10m")
	check(r.Concurrency >= 1 && r.Concurrency <= 256, "registry.concurrency", "1 to 256")
	check(r.WarnAge >= 0, "registry.warn_age", "0 or a duration such as 24h")
}

func (e *Embeddings) validate(check func(ok bool, key, want string)) {
	check(e.URL == "" || isHTTP(e.URL), "embeddings.url", "an http or https URL")
	check(e.URL == "" || e.Model != "", "embeddings.model", "the name of a model that embeddings.url serves")
	check(e.URL == "" || e.Dimensions >= 1 && e.Dimensions <= 16_384, "embeddings.dimensions", "the length of the model's vectors, 1 to 16384")
	check(e.URL == "" || e.ModelDir == "", "embeddings.model_dir", "empty where embeddings.url is set")
	check(e.Batch >= 1 && e.Batch <= 2048, "embeddings.batch", "1 to 2048")
	check(e.Rate >= 0, "embeddings.rate", "0 or a number of requests per second")
	check(e.Timeout > 0, "embeddings.timeout", "a positive duration such as 30s")
	check(e.Attempts >= 1 && e.Attempts <= 100, "embeddings.attempts", "1 to 100")
}

func isHTTP(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
