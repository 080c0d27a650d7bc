package bronze_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"assay/consumers/bronze"
	"assay/internal/capture/mapping"
	"assay/streams"
)

// docs/events.md tells every name that is understood and every field of a mapping, and each of its examples is decoded as it
// says.
func TestEventsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for field, names := range bronze.Members() {
		for _, name := range names {
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("the page does not tell that %s may hold the %s", name, field)
			}
		}
	}
	for _, field := range mapping.Fields {
		if !strings.Contains(string(page), "| "+string(field)+" |") && !strings.Contains(string(page), "`"+string(field)+"`") {
			t.Errorf("the page does not tell of the field %s", field)
		}
	}
	examples := regexp.MustCompile("(?s)```json (?:map=(\\S+) )?(\\S+)(?: (\\S+))?\n(.*?)\n```").FindAllStringSubmatch(string(page), -1)
	if len(examples) < 8 {
		t.Errorf("%d examples", len(examples))
	}
	for _, x := range examples {
		events := bronze.Decode(own(x[1], x[4]), 1)
		if e := events[0]; e.Kind != x[2] || string(e.Phase) != x[3] || e.Disposition != bronze.Kept || e.WorkflowID == "file" {
			t.Errorf("%s\nis decoded as %s %q of workflow %s", x[4], e.Kind, e.Phase, e.WorkflowID)
		}
		if ignored := bronze.Ignored(own(x[1], x[4]), []byte(x[4])); len(ignored) > 0 {
			t.Errorf("%s\nhas members that mean nothing: %v", x[4], ignored)
		}
	}
}

// own is a frame with an event of a user's own.
func own(fields, body string) *streams.Frame {
	return &streams.Frame{
		Source: streams.SourceEvent, Workflow: "file", Stream: "s", ContentType: streams.ContentJSON, Count: 1, Map: fields, Body: []byte(body),
	}
}

// A call and its result, under names of the user's own, are of one intent, with status, tokens, cost and both times.
func TestMappedEvents(t *testing.T) {
	const fields = "workflow=ctx.session,intent=call,kind=what,agent=user,tool=fn.name,status=state,error=err,text=note," +
		"duration_ms=ms,input_tokens=in,output_tokens=out,cost_usd=usd,time=at,role=who,id=n"
	events := bronze.Decode(own(fields, `{"what":"tool_result","ctx":{"session":7},"call":"c","user":"u","fn":{"name":"f"},"state":"failed","err":{"message":"no"},`+
		`"note":{"a":[1]},"ms":1500,"in":3,"out":4,"usd":0.25,"at":"2026-01-02T03:04:05Z","who":"tool","n":9,"extra":1}`), 1)
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	e, start := events[0], events[1]
	if e.WorkflowID != "7" || e.IntentID != "c" || e.AgentID != "u" || e.Capability != "f" || e.EventID != "9" || e.Role != "tool" ||
		e.Phase != bronze.PhaseEnd || e.Status != bronze.StatusError || e.Error != "no" || e.Text != `{"a":[1]}` ||
		e.InputTokens != 3 || e.OutputTokens != 4 || e.CachedTokens != -1 || e.CostUSD != 0.25 {
		t.Errorf("%+v", e)
	}
	if start.Phase != bronze.PhaseStart || start.IntentID != "c" || start.Capability != "f" || e.Time.Sub(start.Time) != 1500*time.Millisecond {
		t.Errorf("%+v", start)
	}
	if got := bronze.Ignored(own(fields, ""), []byte(`{"what":"x","extra":1}`)); len(got) != 1 || got[0] != "extra" {
		t.Errorf("ignored %v", got)
	}
	call := bronze.Decode(own(fields, `{"what":"tool_call","ctx":{"session":"7"},"call":"c","fn":null,"err":"","state":7}`), 1)[0]
	if call.Phase != bronze.PhaseStart || call.Status != bronze.StatusNone || call.Error != "" || call.IntentID != "c" {
		t.Errorf("%+v", call)
	}
	if rpc := bronze.Decode(own(fields, `{"jsonrpc":"2.0","id":1,"method":"ping"}`), 1)[0]; rpc.Kind != bronze.KindRPCRequest {
		t.Errorf("JSON-RPC becomes %s", rpc.Kind)
	}
	if bad := bronze.Decode(own("nonsense", "{}"), 1)[0]; bad.Disposition != bronze.Dead || !strings.Contains(bad.Reason, "nonsense") {
		t.Errorf("%+v", bad)
	}
}

func FuzzMapped(f *testing.F) {
	f.Add(`{"what":"tool_result","call":"c","ms":1e300,"at":1,"usd":-1,"in":1.5}`)
	f.Add(`{"what":{},"call":[],"ctx":{"session":{}},"at":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		frame := own("workflow=ctx.session,intent=call,kind=what,duration_ms=ms,input_tokens=in,cost_usd=usd,time=at,text=call,error=what", body)
		bronze.Ignored(frame, []byte(body))
		for _, e := range bronze.Decode(frame, 1) {
			if e.Disposition == bronze.Kept && e.Kind == "" {
				t.Errorf("%+v", e)
			}
		}
	})
}

// What an event says of duration, tokens and cost under the names of the fields needs no mapping, at the top or in the payload.
func TestMeasuresNeedNoMapping(t *testing.T) {
	for _, body := range []string{
		`{"type":"llm_done","intent_id":"c","model":"m","timestamp":"2026-01-02T03:04:05Z","duration_ms":1500,"input_tokens":3,"output_tokens":4,"cache_write_tokens":1,"cost_usd":0.25}`,
		`{"type":"llm_done","intent_id":"c","model":"m","timestamp":"2026-01-02T03:04:05Z","payload":{"duration_ms":1500,"input_tokens":3,"output_tokens":4,"cache_write_tokens":1,"cost_usd":0.25}}`,
	} {
		events := bronze.Decode(own("", body), 1)
		if len(events) != 2 {
			t.Fatalf("%s is decoded as %d events", body, len(events))
		}
		e, start := events[0], events[1]
		if e.InputTokens != 3 || e.OutputTokens != 4 || e.WrittenTokens != 1 || e.CostUSD != 0.25 || start.Phase != bronze.PhaseStart ||
			e.Time.Sub(start.Time) != 1500*time.Millisecond || start.IntentID != "c" || start.Capability != "m" {
			t.Errorf("%s\nis decoded as\n%+v\n%+v", body, e, start)
		}
		if ignored := bronze.Ignored(own("", body), []byte(body)); len(ignored) > 0 {
			t.Errorf("%v mean nothing", ignored)
		}
	}
}
