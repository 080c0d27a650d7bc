package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"assay/internal/query"
)

// What resources are called.
const (
	workflowPrefix = "assay://workflow/"
	eventPrefix    = "assay://event/"
)

func eventURI(id string) string { return eventPrefix + url.PathEscape(id) }

func (m *memory) addResources(s *sdk.Server) {
	s.AddResourceTemplate(&sdk.ResourceTemplate{
		URITemplate: workflowPrefix + "{id}", Name: "workflow", Description: "A conversation, oldest first, the first page of it", MIMEType: "text/plain",
	}, m.workflowResource)
	s.AddResourceTemplate(&sdk.ResourceTemplate{
		URITemplate: eventPrefix + "{id}", Name: "event", Description: "An event as it was captured, with its link in the chain", MIMEType: "application/json",
	}, m.eventResource)
	s.AddPrompt(&sdk.Prompt{
		Name: "resume", Description: "Go on with a recorded workflow",
		Arguments: []*sdk.PromptArgument{{Name: "workflow", Description: "its id, as workflows lists it", Required: true}},
	}, m.resume)
}

func (m *memory) workflowResource(ctx context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
	id, err := named(r.Params.URI, workflowPrefix)
	if err != nil {
		return nil, err
	}
	c, err := m.View.Conversation(ctx, id, query.ConversationRequest{})
	if err != nil {
		return nil, missing(r.Params.URI, err)
	}
	text := strings.Builder{}
	fmt.Fprintf(&text, "%s\n\n", notice)
	if err := (&query.Transcript{Zone: time.UTC}).Write(&text, c.Turns); err != nil {
		return nil, err
	}
	if c.Next != "" {
		text.WriteString("(the rest is left out)\n")
	}
	return contents(r.Params.URI, "text/plain", text.String()), nil
}

func (m *memory) eventResource(ctx context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
	id, err := named(r.Params.URI, eventPrefix)
	if err != nil {
		return nil, err
	}
	found, err := m.get(ctx, idInput{id})
	if err != nil {
		return nil, missing(r.Params.URI, err)
	}
	text, err := json.Marshal(found)
	return contents(r.Params.URI, "application/json", string(text)), err
}

func contents(uri, mime, text string) *sdk.ReadResourceResult {
	return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: uri, MIMEType: mime, Text: text}}}
}

func named(uri, prefix string) (string, error) {
	id, err := url.PathUnescape(strings.TrimPrefix(uri, prefix))
	if err != nil || id == "" {
		return "", sdk.ResourceNotFoundError(uri)
	}
	return id, nil
}

func missing(uri string, err error) error {
	if errors.Is(err, query.ErrNotFound) {
		return sdk.ResourceNotFoundError(uri)
	}
	return plain(err)
}

func (m *memory) resume(ctx context.Context, r *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
	brief, err := query.Brief(ctx, m.View, r.Params.Arguments["workflow"], 0)
	if err != nil {
		return nil, plain(err)
	}
	return &sdk.GetPromptResult{
		Description: "Go on with workflow " + brief.WorkflowID,
		Messages: []*sdk.PromptMessage{{Role: "user", Content: &sdk.TextContent{Text: "Go on with this workflow. What follows is its record, from Assay (" +
			notice + "). Say in a sentence where it stands, then continue towards its goal.\n\n" + brief.String()}}},
	}, nil
}
