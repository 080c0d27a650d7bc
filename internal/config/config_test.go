package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "assay.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	path := write(t, "data: from-file\nlog:\n  max_age: 1h\n  max_bytes: 2000000\nhttp:\n  listen: 127.0.0.1:1\n")
	c, err := Load(path, []string{"ASSAY_LOG_MAX_AGE=2h", "ASSAY_HTTP_LISTEN=127.0.0.1:2"}, map[string]any{"http.listen": "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "from-file" || c.Log.MaxBytes != 2_000_000 {
		t.Errorf("the file does not beat the default: %+v", c)
	}
	if c.Log.MaxAge != 2*time.Hour {
		t.Errorf("the environment does not beat the file: max_age %v", c.Log.MaxAge)
	}
	if c.HTTP.Listen != "127.0.0.1:3" {
		t.Errorf("the flag does not beat the environment: listen %q", c.HTTP.Listen)
	}
	if c.Silver != Default().Silver {
		t.Errorf("defaults are lost: %+v", c.Silver)
	}
}

func TestUnknownKeysAreNamed(t *testing.T) {
	_, err := Load(write(t, "log:\n  max_bites: 1\n"), nil, nil)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "max_bites") {
		t.Errorf("file: %v", err)
	}
	_, err = Load(write(t, ""), []string{"ASSAY_LOG_MAX_BITES=1"}, nil)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "ASSAY_LOG_MAX_BITES") {
		t.Errorf("environment: %v", err)
	}
}

func TestRegistryAliases(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{[]string{"ECOSYSTEM_REGISTRY_URL=http://a"}, "http://a"},
		{[]string{"ECOSYSTEM_REGISTRY_URL=http://a", "ASSAY_REGISTRY=http://b"}, "http://b"},
		{[]string{"ASSAY_REGISTRY=http://b", "ASSAY_REGISTRY_URL=http://c"}, "http://c"},
	} {
		c, err := Load(write(t, ""), test.environ, nil)
		if err != nil || c.Registry.URL != test.want {
			t.Errorf("%v: %q, %v; want %q", test.environ, c.Registry.URL, err, test.want)
		}
	}
}

func TestInvalidValues(t *testing.T) {
	for _, test := range []struct{ text, key string }{
		{"gate: {ceiling: 2}", "gate.ceiling"},
		{"namespace: nonsense", "namespace"},
		{"registry: {url: 'ftp://x'}", "registry.url"},
		{"registry: {kind: other}", "registry.kind"},
		{"registry: {namespace: com.example}", "registry.namespace"},
		{"registry: {timeout: 0s}", "registry.timeout"},
		{"registry: {concurrency: 0}", "registry.concurrency"},
		{"registry: {warn_age: -1h}", "registry.warn_age"},
		{"silver: {workers: 0}", "silver.workers"},
		{"log: {max_age: soon}", "max_age"},
		{"ingest: {event_bytes: 33554432}", "ingest.event_bytes"},
		{"ingest: {frame_bytes: 0}", "ingest.frame_bytes"},
		{"ingest: {linger: 0s}", "ingest.linger"},
		{"ingest: {streams: 0}", "ingest.streams"},
		{"ingest: {idle: 0s}", "ingest.idle"},
		{"ingest: {timeout: -1s}", "ingest.timeout"},
		{"ingest: {body_bytes: -1}", "ingest.body_bytes"},
		{"embeddings: {url: 'http://x', dimensions: 384}", "embeddings.model"},
		{"embeddings: {url: 'http://x', model: m}", "embeddings.dimensions"},
		{"embeddings: {url: 'http://x', model: m, dimensions: 3, model_dir: d}", "embeddings.model_dir"},
		{"embeddings: {rate: -1}", "embeddings.rate"},
		{"retention: {traces: {max_age: -1h}}", "retention.traces.max_age"},
		{"retention: {episodes: {max_bytes: -1}}", "retention.episodes.max_bytes"},
		{"retention: {graph: {max_age: 1h}}", "graph"},
		{"log: [", "assay.yaml"},
	} {
		_, err := Load(write(t, test.text), nil, nil)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.key) {
			t.Errorf("%s: error %v does not name %s", test.text, err, test.key)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yaml"), nil, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("a named file that is absent: %v", err)
	}
}

func TestEverySettingExists(t *testing.T) {
	for _, s := range Settings {
		if _, err := fromEnv([]string{Env(s.Key) + "=1"}, []string{s.Key}); err != nil {
			t.Errorf("%s: %v", s.Key, err)
		}
		if s.Usage == "" || s.Flag == "" {
			t.Errorf("%s lacks a flag or a usage", s.Key)
		}
	}
}

func TestListsAreWrittenWithCommas(t *testing.T) {
	c, err := Load(write(t, "http: {origins: ['https://a.example']}"), []string{"ASSAY_HTTP_HOSTS=one.example,two"}, nil)
	if err != nil || !slices.Equal(c.HTTP.Hosts, []string{"one.example", "two"}) || !slices.Equal(c.HTTP.Origins, []string{"https://a.example"}) {
		t.Errorf("%+v, %v", c.HTTP, err)
	}
}
