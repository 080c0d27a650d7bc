package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"assay/consumers/bronze"
	"assay/internal/query"
	"assay/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is a View of one recorded conversation.
type book struct {
	query.View
	hits int
}

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func (b *book) Settled(context.Context) (query.Settled, error) {
	return query.Settled{SettledThrough: 41, Pending: 1}, nil
}

func (b *book) Recall(_ context.Context, r query.RecallRequest) (hits []query.Hit, err error) {
	if r.Query == "" {
		return nil, fmt.Errorf("%w: query is empty", query.ErrRequest)
	}
	if r.Query == "broken" {
		return nil, fmt.Errorf("open /secret/path: refused")
	}
	for i := range min(b.hits, r.Limit) {
		hits = append(hits, query.Hit{
			Text: fmt.Sprintf("passage %d %s", i, strings.Repeat("x", 900)), Kind: "message", WorkflowID: "chat-42", EntityUUID: "e", TS: at,
			StreamID: "s", Position: 3, Score: 1, Similarity: 0.5, BronzeSeq: 7, EventUUID: "ev",
		})
	}
	return hits, nil
}

func (b *book) Workflows(_ context.Context, r query.WorkflowsRequest) (*query.WorkflowList, error) {
	return &query.WorkflowList{Workflows: []query.WorkflowSummary{{WorkflowID: "chat-42", Title: "Umbrellas", Errors: 1}}, Next: "more"}, nil
}

func (b *book) Conversation(_ context.Context, workflow string, r query.ConversationRequest) (*query.Conversation, error) {
	if workflow != "chat-42" {
		return nil, fmt.Errorf("%w: workflow %q", query.ErrNotFound, workflow)
	}
	turns := []query.Turn{
		{Entity: query.Entity{Kind: "message", Text: "Shall I take my umbrella?", StartedAt: at, Status: "ok"}, Speaker: query.SpeakerUser},
		{Entity: query.Entity{Kind: "call", Capability: "weather", Status: "open", StartedAt: at.Add(time.Second)}, Speaker: query.SpeakerCall, Arguments: `{"city":"Oslo"}`},
		{Entity: query.Entity{Kind: "call", Capability: "clock", Status: "error", Error: "no battery", StartedAt: at.Add(2 * time.Second)}, Speaker: query.SpeakerCall},
		{Entity: query.Entity{Kind: "message", Capability: "gpt-x", Text: "It rains. " + strings.Repeat("A lot. ", 500), StartedAt: at.Add(3 * time.Second), Status: "ok"}, Speaker: query.SpeakerAssistant},
	}
	if r.Backward {
		slices.Reverse(turns)
	}
	return &query.Conversation{WorkflowID: workflow, Summary: &query.WorkflowSummary{Title: "Umbrellas"}, Turns: turns}, nil
}

func (b *book) Capabilities(context.Context) ([]query.Capability, error) {
	return []query.Capability{
		{Capability: "a", Bucket: at, Calls: 1}, {Capability: "b", Bucket: at, Calls: 2, Errors: 1}, {Capability: "b", Bucket: at.Add(time.Hour), Calls: 5, LatencyP50: 9},
	}, nil
}

func (b *book) Event(_ context.Context, id string) (*query.Evidence, error) {
	if id != "ev" && id != "odd/id" {
		return nil, fmt.Errorf("%w: event %q", query.ErrNotFound, id)
	}
	return &query.Evidence{EventUUID: id, BronzeSeq: 7, Raw: []byte("data: {\"x\":\xff}\n"), Chain: &streams.Tie{}}, nil
}

func (b *book) Item(_ context.Context, id string) (*query.Item, error) {
	return &query.Item{Turn: query.Turn{Entity: query.Entity{EntityUUID: id, WorkflowID: "chat-42", Kind: "message", Text: "the whole text"}, Speaker: "user"}}, nil
}

// transports runs a test with a client of each version of the protocol over each transport.
func transports(t *testing.T, opts Options, test func(t *testing.T, c *sdk.ClientSession)) {
	opts.Logger, opts.Version = slog.New(slog.DiscardHandler), "test"
	for _, version := range sdk.SupportedProtocolVersions() {
		connect := func(t *testing.T, transport sdk.Transport) {
			c, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).
				Connect(t.Context(), transport, &sdk.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.InitializeResult().ProtocolVersion; got != version {
				t.Errorf("version %s is spoken", got)
			}
			test(t, c)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		t.Run("stdio "+version, func(t *testing.T) {
			fromClient, toServer := io.Pipe()
			fromServer, toClient := io.Pipe()
			served := make(chan error, 1)
			go func() { served <- Serve(t.Context(), opts, &sdk.IOTransport{Reader: fromClient, Writer: toClient}) }()
			connect(t, &sdk.IOTransport{Reader: fromServer, Writer: toServer})
			<-served
		})
		t.Run("http "+version, func(t *testing.T) {
			s := httptest.NewServer(Handler(opts))
			defer s.Close()
			connect(t, &sdk.StreamableClientTransport{Endpoint: s.URL, HTTPClient: s.Client()})
		})
	}
}

// call asks a tool and returns its structured answer.
func call(t *testing.T, c *sdk.ClientSession, tool string, arguments map[string]any) (answer map[string]any, failure string) {
	t.Helper()
	result, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	text := result.Content[0].(*sdk.TextContent).Text
	if result.IsError {
		return nil, text
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s: the text is not what is structured: %v", tool, err)
	}
	return answer, ""
}

func TestToolsAreFewSmallAndReadOnly(t *testing.T) {
	transports(t, Options{View: &book{}}, func(t *testing.T, c *sdk.ClientSession) {
		listed, err := c.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tool := range listed.Tools {
			names = append(names, tool.Name)
			if !tool.Annotations.ReadOnlyHint || tool.OutputSchema == nil {
				t.Errorf("%s: %+v", tool.Name, tool)
			}
		}
		if slices.Sort(names); strings.Join(names, " ") != "capabilities fetch get recall rehydrate search workflows" {
			t.Errorf("tools are %v", names)
		}
	})
}

// All schemas together, input and output, cost less than 3,000 tokens, with the tool that writes too.
func TestSchemasAreCheap(t *testing.T) {
	remember := func(context.Context, string, string) error { return nil }
	transports(t, Options{View: &book{}, Remember: remember}, func(t *testing.T, c *sdk.ClientSession) {
		listed, err := c.ListTools(t.Context(), nil)
		if err != nil || len(listed.Tools) != 8 {
			t.Fatal(len(listed.Tools), err)
		}
		all, err := json.Marshal(listed.Tools)
		if err != nil {
			t.Fatal(err)
		}
		if tokens := query.Tokens(string(all)); tokens >= 3000 {
			t.Errorf("they cost %d tokens", tokens)
		}
	})
}

func TestAnswersSayHowFarTheyReachAndThatTheyAreData(t *testing.T) {
	transports(t, Options{View: &book{hits: 3}}, func(t *testing.T, c *sdk.ClientSession) {
		for tool, arguments := range map[string]map[string]any{
			"recall": {"query": "x"}, "rehydrate": {"workflow": "chat-42"}, "get": {"id": "ev"}, "workflows": {}, "capabilities": {}, "search": {"query": "x"},
		} {
			answer, failure := call(t, c, tool, arguments)
			if failure != "" || answer["settled_through"] != 41.0 || answer["pending"] != 1.0 {
				t.Errorf("%s: %v %s", tool, answer, failure)
			}
			if said, _ := answer["notice"].(string); !bronze.IsAnswer(said) {
				t.Errorf("%s does not say that it is an answer", tool)
			}
		}
		fetched, _ := call(t, c, "fetch", map[string]any{"id": "e"})
		if said, _ := fetched["metadata"].(map[string]any)["notice"].(string); !bronze.IsAnswer(said) || fetched["text"] != "the whole text" {
			t.Errorf("fetched %v", fetched)
		}
	})
}

func TestHitsHaveTheirProvenanceAndFitTheBudget(t *testing.T) {
	transports(t, Options{View: &book{hits: 30}}, func(t *testing.T, c *sdk.ClientSession) {
		seen, cursor := 0, ""
		for page := 0; page == 0 || cursor != ""; page++ {
			answer, failure := call(t, c, "recall", map[string]any{"query": "x", "limit": 12, "budget_tokens": 2000, "cursor": cursor})
			if failure != "" {
				t.Fatal(failure)
			}
			hits := answer["hits"].([]any)
			for _, h := range hits {
				h := h.(map[string]any)
				if !strings.HasPrefix(h["text"].(string), fmt.Sprintf("passage %d ", seen)) || h["bronze_seq"] != 7.0 || h["event_uuid"] != "ev" ||
					h["entity_uuid"] != "e" || h["workflow_id"] != "chat-42" || h["stream_id"] != "s" || h["similarity"] != 0.5 {
					t.Fatalf("hit %d is %v", seen, h)
				}
				seen++
			}
			if text, _ := json.Marshal(hits); query.Tokens(string(text)) > 2200 {
				t.Fatalf("page %d has %d tokens", page, query.Tokens(string(text)))
			}
			cursor, _ = answer["next"].(string)
		}
		if seen != 30 {
			t.Errorf("pages have %d of 30 hits", seen)
		}
		answer, _ := call(t, c, "recall", map[string]any{"query": "x", "budget_tokens": 100})
		if hits := answer["hits"].([]any); len(hits) != 1 || hits[0].(map[string]any)["truncated"] != true {
			t.Errorf("a budget for less than one hit gives %v", hits)
		}
	})
}

func TestErrorsAreForTheModelAndTellNoSecrets(t *testing.T) {
	transports(t, Options{View: &book{}}, func(t *testing.T, c *sdk.ClientSession) {
		for _, q := range []struct {
			tool      string
			arguments map[string]any
			says      string
		}{
			{"recall", map[string]any{"query": ""}, "query is empty"},
			{"recall", map[string]any{"query": "x", "since": "yesterday"}, "how long ago"},
			{"recall", map[string]any{"query": "x", "cursor": "-1"}, "cursor"},
			{"recall", map[string]any{"query": "broken"}, "its log says why"},
			{"rehydrate", map[string]any{"workflow": "other"}, "not found"},
			{"get", map[string]any{"id": "other"}, "not found"},
			{"capabilities", map[string]any{"since": "x"}, "how long ago"},
			{"workflows", map[string]any{"since": "x"}, "how long ago"},
		} {
			if _, failure := call(t, c, q.tool, q.arguments); !strings.Contains(failure, q.says) || strings.Contains(failure, "secret") {
				t.Errorf("%s %v: %q", q.tool, q.arguments, failure)
			}
		}
	})
}

func TestUseIsAddedUpOverHours(t *testing.T) {
	transports(t, Options{View: &book{}}, func(t *testing.T, c *sdk.ClientSession) {
		answer, _ := call(t, c, "capabilities", map[string]any{"limit": 1})
		first := answer["capabilities"].([]any)[0].(map[string]any)
		if first["capability"] != "b" || first["calls"] != 7.0 || first["errors"] != 1.0 || first["latency_p50_us"] != 9.0 || answer["next"] != "1" {
			t.Errorf("%v", answer)
		}
		answer, _ = call(t, c, "capabilities", map[string]any{"since": at.Add(time.Hour).Format(time.RFC3339)})
		if all := answer["capabilities"].([]any); len(all) != 1 || all[0].(map[string]any)["calls"] != 5.0 {
			t.Errorf("%v", answer)
		}
	})
}

func TestResourcesAndThePrompt(t *testing.T) {
	transports(t, Options{View: &book{}}, func(t *testing.T, c *sdk.ClientSession) {
		for uri, says := range map[string]string{
			"assay://workflow/chat-42": "Shall I take my umbrella?", "assay://event/ev": `"bronze_seq":7`, "assay://event/odd%2Fid": "odd/id",
		} {
			r, err := c.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
			if err != nil || !strings.Contains(r.Contents[0].Text, says) || !bronze.IsAnswer(r.Contents[0].Text) {
				t.Errorf("%s: %+v, error %v", uri, r, err)
			}
		}
		if _, err := c.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "assay://event/none"}); err == nil {
			t.Error("an unknown event was read")
		}
		p, err := c.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: "resume", Arguments: map[string]string{"workflow": "chat-42"}})
		if err != nil || !strings.Contains(p.Messages[0].Content.(*sdk.TextContent).Text, "Shall I take my umbrella?") {
			t.Errorf("%+v, error %v", p, err)
		}
	})
}

func TestRememberIsThereOnlyWhereItIsAllowed(t *testing.T) {
	var stored []string
	remember := func(_ context.Context, workflow, text string) error {
		stored = append(stored, workflow+": "+text)
		return nil
	}
	transports(t, Options{View: &book{}, Remember: remember}, func(t *testing.T, c *sdk.ClientSession) {
		stored = nil
		for _, arguments := range []map[string]any{{"text": "the key is under the mat"}, {"text": "x", "workflow": "w"}} {
			if answer, failure := call(t, c, "remember", arguments); failure != "" || answer["stored"] != true {
				t.Errorf("%v: %v %s", arguments, answer, failure)
			}
		}
		if !slices.Equal(stored, []string{"remembered: the key is under the mat", "w: x"}) {
			t.Errorf("stored %q", stored)
		}
		if _, failure := call(t, c, "remember", map[string]any{"text": " "}); failure == "" {
			t.Error("nothing was remembered")
		}
	})
}
