package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"assay/internal/query"
)

// addTools adds the tools. Their schemas are written out, and small: every client pays for them in every conversation.
func (m *memory) addTools(s *sdk.Server) {
	add(s, "recall", "Find passages of recorded conversations, tool results and observations, by meaning and words; best first, with provenance.",
		`"query":{"type":"string"},"workflow":{"type":"string"},"agent":{"type":"string"},"kind":{"type":"string","enum":["`+
			strings.Join(query.EpisodeKinds, `","`)+`"]},"since":`+sinceSchema+`,"limit":{"type":"integer","maximum":100},"budget_tokens":{"type":"integer"},"cursor":{"type":"string"}`, `"query"`,
		listSchema("hits"), m.recall)
	add(s, "rehydrate", "What is needed to go on with a workflow: goal, decisions, open calls, errors, what was said last. Within budget_tokens (default 2000).",
		`"workflow":{"type":"string"},"budget_tokens":{"type":"integer","minimum":200}`, `"workflow"`,
		`"workflow_id":{"type":"string"},"goal":{"type":"string"},"conversation":{"type":"array"},`+settledSchema, m.rehydrate)
	add(s, "get", "An event as it was captured, with its place in the log and its hash chain link. id: event_uuid or entity_uuid of a hit.",
		`"id":{"type":"string"}`, `"id"`, `"event_uuid":{"type":"string"},"bronze_seq":{"type":"integer"},"raw":{"type":"string"},`+settledSchema, m.get)
	add(s, "workflows", "List workflows (conversations, sessions), last active first: title, models, calls, errors, tokens.",
		`"query":{"type":"string","description":"words in title, id, agents, models"},"agent":{"type":"string"},"since":`+sinceSchema+
			`,"errors":{"type":"boolean","description":"only those with errors"},"limit":{"type":"integer","maximum":200},"cursor":{"type":"string"}`, ``,
		listSchema("workflows"), m.workflows)
	add(s, "capabilities", "Use of models, tools and methods: calls, errors, latency in µs, tokens; the most used first.",
		`"name":{"type":"string"},"since":`+sinceSchema+`,"limit":{"type":"integer","maximum":200},"cursor":{"type":"string"}`, ``,
		listSchema("capabilities"), m.capabilities)
	// The two that ChatGPT's connectors ask for, in their form.
	add(s, "search", "Search the memory; ids for fetch.", `"query":{"type":"string"}`, `"query"`, listSchema("results"), m.search)
	add(s, "fetch", "The whole text of a search result.", `"id":{"type":"string"}`, `"id"`,
		`"id":{"type":"string"},"title":{"type":"string"},"text":{"type":"string"},"url":{"type":"string"},"metadata":{"type":"object"}`, m.fetch)
	if m.Remember != nil {
		addTool(s, &sdk.Tool{
			Name: "remember", Description: "Store a text as an observation, to be recalled later.",
			InputSchema:  object(`"text":{"type":"string"},"workflow":{"type":"string"}`, `"text"`),
			OutputSchema: object(`"stored":{"type":"boolean"}`, ``),
			Annotations:  &sdk.ToolAnnotations{DestructiveHint: new(bool), OpenWorldHint: new(bool)},
		}, m.remember)
	}
}

const (
	sinceSchema   = `{"type":"string","description":"RFC 3339, or how long ago: 90m, 7d"}`
	settledSchema = `"settled_through":{"type":"integer"},"pending":{"type":"integer"}`
)

func listSchema(name string) string {
	return `"` + name + `":{"type":"array","items":{"type":"object"}},"next":{"type":"string"},` + settledSchema
}

func object(properties, required string) json.RawMessage {
	return json.RawMessage(`{"type":"object","properties":{` + properties + `},"required":[` + required + `]}`)
}

// add adds a tool that changes nothing.
func add[In, Out any](s *sdk.Server, name, description, properties, required, output string, answer func(context.Context, In) (Out, error)) {
	addTool(s, &sdk.Tool{
		Name: name, Description: description, InputSchema: object(properties, required), OutputSchema: object(output, ``),
		Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: new(bool)},
	}, answer)
}

func addTool[In, Out any](s *sdk.Server, tool *sdk.Tool, answer func(context.Context, In) (Out, error)) {
	sdk.AddTool(s, tool, func(ctx context.Context, _ *sdk.CallToolRequest, in In) (*sdk.CallToolResult, Out, error) {
		out, err := answer(ctx, in)
		return nil, out, plain(err)
	})
}

// plain makes an error of something that is wrong here one that tells a model no more than that.
func plain(err error) error {
	switch {
	case err == nil, errors.Is(err, query.ErrNotFound), errors.Is(err, query.ErrRequest), errors.Is(err, query.ErrConflict), errors.Is(err, query.ErrServer):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return errors.New("the memory failed to answer; its log says why")
}
