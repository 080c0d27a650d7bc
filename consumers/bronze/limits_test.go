package bronze

import (
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fastjson"

	"assay/streams"
)

// A natural key may have as many components as the limit says, and no more.
func TestAKeyHasALimitOfComponents(t *testing.T) {
	for n, fits := range map[int]bool{0: false, keyComponentsMax: true, keyComponentsMax + 1: false} {
		components := []string{"workflow_id", "intent_id", "agent_id", "capability", "stream_id", "kind", "source", "provider", "event_id"}[:n]
		if _, err := NewKeys(map[string]Key{"ticket": {Components: components}}); (err == nil) != fits {
			t.Errorf("%d components: %v", n, err)
		}
	}
}

// Spans whose parents are a circle, or a longer way up than is looked at, are told as others are.
func TestTheWayUpFromASpanHasAnEnd(t *testing.T) {
	for name, parent := range map[string]func(i int) int{
		"circle": func(i int) int { return (i + 1) % 3 },
		"chain":  func(i int) int { return i + 1 },
	} {
		var spans []string
		for i := range 2 * ancestorsMax {
			spans = append(spans, `{"traceId":"`+strings.Repeat("a", 32)+`","spanId":"`+spanID(i)+`","parentSpanId":"`+spanID(parent(i))+
				`","name":"chat gpt","startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}]}`)
		}
		body := `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
		events := Decode(&streams.Frame{Source: streams.SourceOTLP, ContentType: streams.ContentJSON, Workflow: "w", Stream: "s", Count: 1, Body: []byte(body)}, 1)
		if len(events) < len(spans) {
			t.Errorf("%s: %d events of %d spans: %s", name, len(events), len(spans), events[0].Reason)
		}
	}
}

func spanID(i int) string { return strings.Repeat("0", 13) + strconv.Itoa(100+i) }

// Of a request's settings a member stays up to the limit, and what is longer is left to the log.
func TestSettingsLeaveOutWhatIsLarge(t *testing.T) {
	for n, stays := range map[int]bool{settingBytesMax: true, settingBytesMax + 1: false} {
		value := `"` + strings.Repeat("x", n-2) + `"` // as many bytes with its quotes
		if got := settings(fastjson.MustParse(`{"stop":` + value + `,"n":1}`)); strings.Contains(got, "stop") != stays || !strings.Contains(got, `"n":1`) {
			t.Errorf("a member of %d bytes: the settings are %.60s", n, got)
		}
	}
}
