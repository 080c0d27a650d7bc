package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

var update = flag.Bool("update", false, "write assay.example.yaml anew")

const exampleFile = "../../assay.example.yaml"

// The annotated example lists every setting with its default, and nothing else.
func TestExampleFile(t *testing.T) {
	want := example(t)
	if *update {
		if err := os.WriteFile(exampleFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(exampleFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("assay.example.yaml is not up to date; run: go test ./internal/config -run Example -update (%v)", err)
	}
	c, err := Load(exampleFile, nil, nil)
	if err != nil || fmt.Sprint(c) != fmt.Sprint(Default()) {
		t.Errorf("the example reads as %+v, %v", c, err)
	}
}

func example(t *testing.T) []byte {
	t.Helper()
	defaults := koanf.New(".")
	if err := defaults.Load(structs.Provider(Default(), "koanf"), nil); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# Every setting with its default. Copy what you change to assay.yaml; a flag or an ASSAY_… variable wins over it.\n")
	section := ""
	for _, s := range Settings {
		name, key, nested := strings.Cut(s.Key, ".")
		indent := ""
		if !nested {
			key, name = name, ""
		} else {
			indent = "  "
		}
		if name != section && nested {
			fmt.Fprintf(&b, "\n%s:\n", name)
		}
		section = name
		fmt.Fprintf(&b, "%s%s: %s # %s\n", indent, key, yamlValue(s.Key, defaults.Get(s.Key)), s.Usage)
	}
	b.WriteString(`
# Natural keys by kind, before the built-in ones: the entity of such an event is named by these components.
# keys:
#   ticket:
#     components: [event_id, workflow_id]
#     exact: true # keep the case

# Which members of your own events hold what, for events whose capture does not say so: docs/events.md.
# fields:
#   workflow: session_id
#   intent: call_id

# How long rows of traces, entities, episodes and metrics are kept, and how large a table may get on disk; see
# docs/retention.md. Without these they are kept forever.
# retention:
#   traces: {max_age: 90d, max_bytes: 10GB}
#   episodes: {max_age: 365d}

# Prices of models, in US dollars for a million tokens: those of a model replace the built-in ones (docs/feeds.md).
# prices:
#   - {model: house-model, input: 0.5, cached: 0.05, output: 2}
#   - {model: house-model, from: 2026-07-01, input: 0.4, output: 1.5}
`)
	return b.Bytes()
}

func yamlValue(key string, v any) string {
	if d, ok := v.(time.Duration); ok {
		text := d.String()
		for _, tail := range []string{"m0s", "h0m"} { // 24h0m0s is 24h
			if strings.HasSuffix(text, tail) {
				text = text[:len(text)-2]
			}
		}
		return text
	}
	if n := reflect.ValueOf(v); isSize(key) && n.Int() != 0 {
		for _, unit := range []string{"GiB", "MiB", "KiB"} {
			if factor := int64(sizeUnits[strings.ToLower(unit)]); n.Int()%factor == 0 {
				return fmt.Sprint(n.Int()/factor, unit)
			}
		}
	}
	if s, ok := v.(string); ok && s == "" {
		return `""`
	}
	return fmt.Sprint(v)
}
