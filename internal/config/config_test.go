package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/internal/price"
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
	c, err := Load(path, []string{"ASSAY_LOG_MAX_AGE=2h", "ASSAY_HTTP_LISTEN=127.0.0.1:2"}, map[string]string{"http.listen": "127.0.0.1:3"})
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
	if c.Silver != Default().Silver || c.Notes != nil {
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

// What is wrong in a file is told with its line, and what would be right.
func TestFaultsInAFile(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"retention:\n  traces: {max_age: 86400}\n", `assay.yaml:2: config: invalid setting: retention.traces.max_age: "86400" has no unit: write 86400s`},
		{"ingest:\n  idle: 120\n", `assay.yaml:2: config: invalid setting: ingest.idle: "120" has no unit`},
		{"# a comment\nhtpp:\n  listen: x\n", "assay.yaml:2: unknown setting htpp (did you mean http?); assay.example.yaml lists all"},
		{"log:\n  max_bites: 1\n", "assay.yaml:2: unknown setting log.max_bites (did you mean log.max_bytes?)"},
		{"max_bytes: 32GiB\n", "assay.yaml:1: unknown setting max_bytes (did you mean "},
		{"log:\n  max_bytes: 32 apples\n", `log.max_bytes: "32 apples" is no size: write a number of bytes, or one with a unit such as 512MiB`},
		{"log:\n  max_age: soon\n", `log.max_age: "soon" is no duration: write 25ms, 90s, 36h or 30d`},
		{"log:\n  ring: yes please\n", `assay.yaml:2: log.ring: "yes please" is neither true nor false`},
		{"silver: {workers: two}", `silver.workers: "two" is no whole number`},
		{"log: 3", "log is a section with settings below it, not a value"},
		{"data: [a, b]", "data takes one value"},
		{"log: [", "assay.yaml is not valid YAML: line 1: "},
		{"data: d\nlog:\n\tmax_age: 1h\n", "assay.yaml is not valid YAML: line 3: "},
		{"just text", "the file is a section"},
	} {
		_, err := Load(write(t, test.text), nil, nil)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v; want %q", test.text, err, test.want)
		}
	}
	for text, want := range map[string]string{"ASSAY_LOG_MAX_AGE=3600": "ASSAY_LOG_MAX_AGE", "ASSAY_LOG_MAX_BYTE=1": "did you mean ASSAY_LOG_MAX_BYTES?"} {
		if _, err := Load(write(t, ""), []string{text}, nil); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
	_, err := Load(write(t, ""), nil, map[string]string{"log.max_age": "3600"})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "--log-max-age") {
		t.Errorf("flag: %v", err)
	}
}

func TestUnitsOfValues(t *testing.T) {
	c, err := Load(write(t, `
memory: 1.5GiB
log: {max_bytes: 32GB, max_age: 30d}
retention: {traces: {max_age: 2w, max_bytes: 10 GB}, episodes: {max_age: 1d12h}, entities: {max_age: 0}}
ingest: {body_bytes: 4096}
http: {hosts: [a, b], origins: "https://x,https://y"}
`), []string{"ASSAY_INGEST_EVENT_BYTES=2MiB"}, map[string]string{"registry.warn_age": "3d"})
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	for what, ok := range map[string]bool{
		"memory":    c.Memory == 3<<29,
		"log":       c.Log.MaxBytes == 32_000_000_000 && c.Log.MaxAge == 30*day,
		"retention": c.Retention.Traces == Kept{14 * day, 10_000_000_000} && c.Retention.Episodes.MaxAge == 36*time.Hour,
		"ingest":    c.Ingest.BodyBytes == 4096 && c.Ingest.EventBytes == 2<<20,
		"registry":  c.Registry.WarnAge == 3*day,
		"lists":     fmt.Sprint(c.HTTP.Hosts, c.HTTP.Origins) == "[a b] [https://x https://y]",
	} {
		if !ok {
			t.Errorf("%s: %+v", what, c)
		}
	}
}

// Old names work for one version, and say what to write.
func TestRenamedSettings(t *testing.T) {
	for _, test := range []struct {
		text    string
		environ []string
		flags   map[string]string
		want    string
	}{
		{text: "log: {ring: true}", want: DiscardOld},
		{text: "log: {ring: false}", want: DiscardNew},
		{environ: []string{"ASSAY_LOG_RING=true"}, want: DiscardOld},
		{flags: map[string]string{"log.ring": "true"}, want: DiscardOld},
	} {
		c, err := Load(write(t, test.text), test.environ, test.flags)
		if err != nil || c.Log.Discard != test.want {
			t.Errorf("%+v: %q, %v", test, c.Log.Discard, err)
		}
		if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "log.discard: "+test.want) {
			t.Errorf("%+v: notes %q", test, c.Notes)
		}
	}
}

func FuzzDurationsAndSizes(f *testing.F) {
	for _, text := range []string{"1d12h", "30d", "-1h", "86400", "9e99d", "1.5GiB", "32 GB", "", "d", "--1d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); err == nil {
			if again, err := ParseDuration(d.String()); err != nil || again != d {
				t.Errorf("%q is %v, and that is %v, %v", text, d, again, err)
			}
		}
		if n, err := ParseSize(text); err == nil {
			if again, err := ParseSize(fmt.Sprint(n)); err != nil || again != n {
				t.Errorf("%q is %d, and that is %d, %v", text, n, again, err)
			}
		}
	})
}

func TestEverySettingExists(t *testing.T) {
	for _, s := range Settings {
		if _, ok := leaves()[s.Key]; !ok {
			t.Errorf("there is no setting %s", s.Key)
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

func TestPricesAreAList(t *testing.T) {
	c, err := Load(write(t, "prices:\n  - {model: gpt-4.1, from: 2026-07-01, input: 0.5, output: 2}\n  - {model: other, above: 1000, input: 1, output: 4}"), nil, nil)
	if err != nil || len(c.Prices) != 2 || c.Prices[0] != (price.Price{Model: "gpt-4.1", From: "2026-07-01", Input: 0.5, Output: 2}) || c.Prices[1].Above != 1000 {
		t.Errorf("%+v, %v", c.Prices, err)
	}
	for text, says := range map[string]string{
		"prices: cheap":                     "prices is a list",
		"prices: [cheap]":                   "prices is a list",
		"prices: [{model: m, inptu: 1}]":    "unknown setting prices.inptu",
		"prices: [{model: m, input: much}]": "no number",
		"prices: [{model: m, input: -1}]":   "-1 is not between",
		"prices: [{model: m, from: soon}]":  `"soon", not a day`,
		"prices: {model: m}":                "prices is a list",
	} {
		if _, err := Load(write(t, text), nil, nil); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
