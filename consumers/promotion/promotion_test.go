package promotion

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", 129)
	const whole = `"event_cid":"A-z_0.:","timestamp":1.5,"source_episodic_event_cids":["a","b"],` +
		`"crystallized_semantic_node_cid":"n","compression_ratio":1`
	for name, c := range map[string]struct{ from, to, fault string }{
		"whole":                   {"", "", ""},
		"no sources":              {`["a","b"]`, `[]`, ""},
		"source of any kind":      {`["a","b"]`, `["a/ü","b"]`, ""},
		"same source twice":       {`["a","b"]`, `["a","a"]`, ""},
		"ratio 0":                 {`ratio":1`, `ratio":0.0`, ""},
		"class by type":           {"", `,"type":"epistemic_promotion"`, ""},
		"tenant":                  {"", `,"tenant_cid":"tenant-1"`, ""},
		"unknown member":          {"", `,"workflow_id":null`, ""},
		"other class":             {"", `,"topology_class":"observation"`, "topology_class"},
		"empty id":                {`A-z_0.:`, ``, "event_cid"},
		"id with a space":         {`A-z_0.:`, `a b`, "event_cid"},
		"id with a line feed":     {`A-z_0.:`, `a\n`, "event_cid"},
		"long id":                 {`A-z_0.:`, long, "event_cid"},
		"id is a number":          {`"A-z_0.:"`, `7`, "event_cid"},
		"name in other case":      {`event_cid`, `Event_CID`, "event_cid is missing"},
		"null":                    {`1.5`, `null`, "timestamp is missing"},
		"before 1970":             {`1.5`, `-1`, "timestamp"},
		"after 9999":              {`1.5`, `253402300800`, "timestamp"},
		"time as text":            {`1.5`, `"2026-01-01T00:00:00Z"`, "timestamp"},
		"infinite time":           {`1.5`, `1e999`, "timestamp"},
		"unsorted":                {`["a","b"]`, `["b","a"]`, "not sorted"},
		"empty source":            {`["a","b"]`, `["","b"]`, "[0] has 0"},
		"long source":             {`["a","b"]`, `["` + long + `"]`, "[0] has 129"},
		"sources of numbers":      {`["a","b"]`, `[1]`, "source_episodic_event_cids"},
		"node with a slash":       {`"n"`, `"n/m"`, "crystallized_semantic_node_cid"},
		"ratio above 1":           {`ratio":1`, `ratio":1.01`, "compression_ratio"},
		"ratio below 0":           {`ratio":1`, `ratio":-0.1`, "compression_ratio"},
		"bad tenant":              {"", `,"tenant_cid":"t t"`, "tenant_cid"},
		"not UTF-8":               {`"n"`, "\"\xff\"", "UTF-8"},
		"more after the object":   {"", `}{`, "not a JSON object"},
		"larger than the bucket":  {"", `,"x":"` + strings.Repeat("x", payloadBytesMax) + `"`, "bytes"},
		"ratio missing altogther": {`"compression_ratio":1`, `"x":1`, "compression_ratio is missing"},
	} {
		body := whole + c.to
		if c.from != "" {
			body = strings.Replace(whole, c.from, c.to, 1)
		}
		_, err := Parse(eventID(0), "wf", []byte("{"+body+"}"))
		if c.fault == "" && err != nil || c.fault != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: error %v, want %q", name, err, c.fault)
		}
	}
	for _, id := range []string{"", "x", strings.ToUpper(eventID(0)), "{" + eventID(0) + "}", eventID(0) + "0"} {
		if _, err := Parse(id, "wf", []byte("{"+whole+"}")); !errors.Is(err, ErrInvalid) {
			t.Errorf("event_uuid %q: error %v", id, err)
		}
	}
}

// What is sent is read as the same promotion, whatever it holds.
func TestParseReadsWhatIsSent(t *testing.T) {
	cid := rapid.StringMatching(`[a-zA-Z0-9_.:-]{1,128}`)
	rapid.Check(t, func(t *rapid.T) {
		sources := rapid.SliceOf(rapid.StringN(1, 128, -1)).Draw(t, "sources")
		slices.Sort(sources)
		want := Promotion{
			EventUUID: eventID(1), Workflow: rapid.String().Draw(t, "workflow"), TopologyClass: topologyClass,
			EventCID: cid.Draw(t, "event"), NodeCID: cid.Draw(t, "node"), Sources: sources,
			Timestamp:        rapid.Float64Range(0, timestampMaxSeconds).Draw(t, "timestamp"),
			CompressionRatio: rapid.Float64Range(0, 1).Draw(t, "ratio"),
		}
		body, err := json.Marshal(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(want.EventUUID, want.Workflow, body)
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Fatalf("%s read as %+v, error %v", body, got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add(event(0))
	f.Fuzz(func(t *testing.T, payload []byte) {
		p, err := Parse(eventID(0), "wf", payload)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		if _, err := newPublication(&p, payload, p.Time()).encode(); err != nil {
			t.Errorf("a valid promotion cannot be kept: %v", err)
		}
	})
}
