package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

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
		fmt.Fprintf(&b, "%s%s: %s # %s\n", indent, key, yamlValue(defaults.Get(s.Key)), s.Usage)
	}
	b.WriteString(`
# Natural keys by kind, before the built-in ones: the entity of such an event is named by these components.
# keys:
#   ticket:
#     components: [event_id, workflow_id]
#     exact: true # keep the case

# How long rows of traces, entities, episodes and metrics are kept, and how large a table may get on disk; see
# docs/retention.md. Without these they are kept forever.
# retention:
#   traces: {max_age: 2160h, max_bytes: 10000000000}
#   episodes: {max_age: 8760h}
`)
	return b.Bytes()
}

func yamlValue(v any) string {
	if s, ok := v.(string); ok && s == "" {
		return `""`
	}
	return fmt.Sprint(v)
}
