package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"assay/internal/httpguard"
	"assay/internal/test/npm"
)

// The official suite finds nothing wrong with the server, given the tools, resources and prompts that its scenarios ask for: with
// sessions, and without them, as it is served, but for what a server without sessions cannot say to a client.
func TestConformance(t *testing.T) {
	suite := npm.Conformance(t)
	opts := Options{View: &book{}, Version: "test", Logger: slog.New(slog.DiscardHandler)}
	for name, mode := range map[string]struct {
		options  sdk.StreamableHTTPOptions
		expected string
	}{
		"with sessions":    {},
		"without sessions": {sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true}, filepath.Join("testdata", "conformance_stateless.yaml")},
	} {
		t.Run(name, func(t *testing.T) {
			server, asked := httptest.NewUnstartedServer(nil), fixtures(opts)
			guarded, err := httpguard.Guard(handler(asked, &mode.options), httpguard.Options{Listen: server.Listener.Addr().String()})
			if err != nil {
				t.Fatal(err)
			}
			server.Config.Handler = guarded
			server.Start()
			defer server.Close()
			suite.Check(t, server.URL+"/mcp", mode.expected)
			for session := range asked.Sessions() { // which the suite leaves open
				_ = session.Close()
			}
		})
	}
}

// fixtures is the server with what the suite asks for besides.
func fixtures(opts Options) *sdk.Server {
	accept := func(context.Context, *sdk.SubscribeRequest) error { return nil }
	s := newServer(opts, &sdk.ServerOptions{
		Instructions: instructions, Logger: opts.Logger, SubscribeHandler: accept,
		UnsubscribeHandler: func(context.Context, *sdk.UnsubscribeRequest) error { return nil },
		CompletionHandler: func(context.Context, *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
			return &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{Values: []string{"testing"}}}, nil
		},
	})
	addFixtureTools(s)
	addFixtureResources(s)
	addFixturePrompts(s)
	return s
}

// pixel is a picture as small as can be.
func pixel() []byte {
	dot := image.NewRGBA(image.Rect(0, 0, 1, 1))
	dot.Set(0, 0, color.RGBA{R: 255, A: 255})
	var b bytes.Buffer
	_ = png.Encode(&b, dot) // a buffer takes every write
	return b.Bytes()
}

func embedded(uri, mime, text string) *sdk.EmbeddedResource {
	return &sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: uri, MIMEType: mime, Text: text}}
}

// asked are the arguments of the tools.
type asked struct {
	Prompt  string `json:"prompt,omitempty"`
	Message string `json:"message,omitempty"`
}

func addFixtureTools(s *sdk.Server) {
	add := func(name string, schema string, answer func(ctx context.Context, r *sdk.CallToolRequest, in asked) ([]sdk.Content, error)) {
		tool := &sdk.Tool{Name: name, Description: "asked for by the suite"}
		if schema != "" {
			tool.InputSchema = json.RawMessage(schema)
		}
		sdk.AddTool(s, tool, func(ctx context.Context, r *sdk.CallToolRequest, in asked) (*sdk.CallToolResult, any, error) {
			content, err := answer(ctx, r, in)
			return &sdk.CallToolResult{Content: content}, nil, err
		})
	}
	picture := &sdk.ImageContent{Data: pixel(), MIMEType: "image/png"}
	for name, content := range map[string][]sdk.Content{
		"test_simple_text":   {&sdk.TextContent{Text: "This is a simple text response for testing."}},
		"test_image_content": {picture},
		"test_audio_content": {&sdk.AudioContent{Data: []byte("RIFF\x00\x00\x00\x00WAVE"), MIMEType: "audio/wav"}},
		"test_embedded_resource": {
			embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
		},
		"test_multiple_content_types": {
			&sdk.TextContent{Text: "Multiple content types test:"}, picture,
			embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`),
		},
	} {
		add(name, "", func(context.Context, *sdk.CallToolRequest, asked) ([]sdk.Content, error) { return content, nil })
	}
	add("test_error_handling", "", func(context.Context, *sdk.CallToolRequest, asked) ([]sdk.Content, error) {
		return nil, errors.New("This tool intentionally returns an error for testing")
	})
	add("json_schema_2020_12_tool", `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"address":{"type":"object",
		"properties":{"street":{"type":"string"},"city":{"type":"string"}}}},"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"}},
		"additionalProperties":false}`, func(context.Context, *sdk.CallToolRequest, asked) ([]sdk.Content, error) { return nil, nil })
	add("test_tool_with_logging", "", func(ctx context.Context, r *sdk.CallToolRequest, _ asked) (content []sdk.Content, err error) {
		for _, text := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			err = errors.Join(err, r.Session.Log(ctx, &sdk.LoggingMessageParams{Level: "info", Data: text})) //nolint:staticcheck // clients of older versions ask for it
		}
		return []sdk.Content{&sdk.TextContent{Text: "logged"}}, err
	})
	add("test_tool_with_progress", "", func(ctx context.Context, r *sdk.CallToolRequest, _ asked) (content []sdk.Content, err error) {
		for _, done := range []float64{0, 50, 100} {
			err = errors.Join(err, r.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{
				ProgressToken: r.Params.GetProgressToken(), Progress: done, Total: 100,
			}))
		}
		return []sdk.Content{&sdk.TextContent{Text: "done"}}, err
	})
	add("test_sampling", "", func(ctx context.Context, r *sdk.CallToolRequest, in asked) ([]sdk.Content, error) {
		said, err := r.Session.CreateMessage(ctx, &sdk.CreateMessageParams{ //nolint:staticcheck // clients of older versions have it
			MaxTokens: 100, Messages: []*sdk.SamplingMessage{{Role: "user", Content: &sdk.TextContent{Text: in.Prompt}}}, //nolint:staticcheck // as above
		})
		if err != nil {
			return nil, err
		}
		text, _ := said.Content.(*sdk.TextContent)
		return []sdk.Content{&sdk.TextContent{Text: "LLM response: " + text.Text}}, nil
	})
	for name, schema := range map[string]string{
		"test_elicitation": `{"type":"object","properties":{"username":{"type":"string","description":"User's response"},
			"email":{"type":"string","description":"User's email address"}},"required":["username","email"]}`,
		"test_elicitation_sep1034_defaults": `{"type":"object","properties":{"name":{"type":"string","default":"John Doe"},"age":{"type":"integer","default":30},
			"score":{"type":"number","default":95.5},"status":{"type":"string","enum":["active","inactive","pending"],"default":"active"},
			"verified":{"type":"boolean","default":true}}}`,
		"test_elicitation_sep1330_enums": `{"type":"object","properties":{"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
			"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"}]},
			"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
			"untitledMulti":{"type":"array","items":{"type":"string","enum":["option1","option2","option3"]}},
			"titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"}]}}}}`,
	} {
		add(name, "", func(ctx context.Context, r *sdk.CallToolRequest, in asked) ([]sdk.Content, error) {
			answer, err := r.Session.Elicit(ctx, &sdk.ElicitParams{Message: "Please tell. " + in.Message, RequestedSchema: json.RawMessage(schema)})
			if err != nil {
				return nil, err
			}
			return []sdk.Content{&sdk.TextContent{Text: fmt.Sprintf("User response: action=%s, content=%v", answer.Action, answer.Content)}}, nil
		})
	}
}

func addFixtureResources(s *sdk.Server) {
	for uri, of := range map[string]*sdk.ResourceContents{
		"test://static-text":      {MIMEType: "text/plain", Text: "This is the content of the static text resource."},
		"test://static-binary":    {MIMEType: "image/png", Blob: pixel()},
		"test://watched-resource": {MIMEType: "text/plain", Text: "watched"},
	} {
		of.URI = uri
		s.AddResource(&sdk.Resource{URI: uri, Name: uri, Description: "asked for by the suite", MIMEType: of.MIMEType},
			func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
				return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{of}}, nil
			})
	}
	s.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: "test://template/{id}/data", Name: "template", MIMEType: "application/json"},
		func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(r.Params.URI, "test://template/"), "/data")
			return contents(r.Params.URI, "application/json", fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, id, id)), nil
		})
}

func addFixturePrompts(s *sdk.Server) {
	add := func(name string, arguments []string, messages func(given map[string]string) []sdk.Content) {
		p := &sdk.Prompt{Name: name, Description: "asked for by the suite"}
		for _, argument := range arguments {
			p.Arguments = append(p.Arguments, &sdk.PromptArgument{Name: argument, Description: "an argument", Required: true})
		}
		s.AddPrompt(p, func(_ context.Context, r *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
			var result sdk.GetPromptResult
			for _, content := range messages(r.Params.Arguments) {
				result.Messages = append(result.Messages, &sdk.PromptMessage{Role: "user", Content: content})
			}
			return &result, nil
		})
	}
	add("test_simple_prompt", nil, func(map[string]string) []sdk.Content {
		return []sdk.Content{&sdk.TextContent{Text: "This is a simple prompt for testing."}}
	})
	add("test_prompt_with_arguments", []string{"arg1", "arg2"}, func(given map[string]string) []sdk.Content {
		return []sdk.Content{&sdk.TextContent{Text: fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", given["arg1"], given["arg2"])}}
	})
	add("test_prompt_with_embedded_resource", []string{"resourceUri"}, func(given map[string]string) []sdk.Content {
		return []sdk.Content{
			embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing."),
			&sdk.TextContent{Text: "Please process the embedded resource above."},
		}
	})
	add("test_prompt_with_image", nil, func(map[string]string) []sdk.Content {
		return []sdk.Content{&sdk.ImageContent{Data: pixel(), MIMEType: "image/png"}, &sdk.TextContent{Text: "Please analyze the image above."}}
	})
}
