package bronze

import (
	"cmp"
	"strings"

	"github.com/valyala/fastjson"

	"assay/streams"
)

// What is known here of the Model Context Protocol holds for its versions 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25
// and 2026-07-28; the last one has no initialize and asks the client for input in results instead of by requests.

// requesterOf infers which side sends a request, where the capture does not know: only these are the server's.
func requesterOf(method string) streams.Side {
	switch method {
	case "roots/list", "sampling/createMessage", "elicitation/create":
		return streams.SideServer
	}
	return orElse(acpRequester(method), streams.SideClient)
}

// requesterFor infers which side asked for a result: the server, if it is a list of roots, a sampled message or an
// answer to an elicitation.
func requesterFor(result *fastjson.Value) streams.Side {
	switch {
	case isArray(result, "roots"),
		isString(result, "role") && result.Exists("content") && isString(result, "model"),
		isString(result.Get("outcome"), "outcome"): // of a permission that an agent asked for
		return streams.SideServer
	}
	switch string(result.GetStringBytes("action")) {
	case "accept", "decline", "cancel":
		return streams.SideServer
	}
	return streams.SideClient
}

// decodeCall takes what a request says. A call of a tool is named after the tool, others after the method.
func decodeCall(e *Event, v *fastjson.Value, method string) {
	e.Capability, e.CapabilityKind = method, CapabilityMethod
	e.Provider = mcpProvider(method)
	params := v.Get("params")
	switch method {
	case "tools/call":
		if tool := text(params, "name"); tool != "" {
			e.Capability, e.CapabilityKind = tool, CapabilityTool
		}
	case "initialize":
		e.AgentID = textAt(params, "clientInfo", "name")
	case "elicitation/create":
		e.Text = text(params, "message")
	case "sampling/createMessage":
		e.Text = messagesText(params)
	}
	a2aRequest(e, params)
	e.ParentID = causeOf(params)
	if client := textAt(params, "_meta", "io.modelcontextprotocol/clientInfo", "name"); client != "" {
		e.AgentID = client
	}
}

// decodeNotification takes what a notification says. The cancellation of a request belongs to that request, which its
// sender has made; so does progress, where the token is the request's id, as implementations of MCP have it. Over HTTP a client
// cancels in another exchange than the one which it cancels, so that is told of the session.
func decodeNotification(e *Event, v *fastjson.Value, method string, f *streams.Frame) {
	sender := orElse(f.Side, streams.SideClient)
	e.Capability, e.CapabilityKind = method, CapabilityMethod
	e.Provider = mcpProvider(method)
	params := v.Get("params")
	e.ParentID = causeOf(params)
	if id := rpcID(params.Get("_meta", "io.modelcontextprotocol/subscriptionId")); id != "" { // it is part of what was asked for once
		e.IntentID = rpcIntent(e, f, streams.SideClient, id)
		e.Capability, e.CapabilityKind = "", ""
	}
	switch method {
	case "notifications/progress":
		e.Kind, e.Text = KindRPCProgress, text(params, "message")
		if params != nil {
			requester := orElse(other(f.Side), streams.SideClient)
			e.IntentID = rpcIntent(e, f, requester, rpcID(params.Get("progressToken")))
		}
		if e.IntentID != "" {
			e.Capability, e.CapabilityKind = "", ""
		}
	case "notifications/message":
		e.Text = text(params, "data")
		if e.Text == "" {
			e.Text = textAt(params, "data", "message")
		}
	case "notifications/cancelled":
		if params == nil {
			return
		}
		e.Text = text(params, "reason")
		if f.Exchange != "" && sender == streams.SideClient {
			return
		}
		e.IntentID = rpcIntent(e, f, sender, rpcID(params.Get("requestId")))
		e.Phase, e.Status, e.Error = PhaseEnd, StatusCancelled, e.Text
		e.Capability, e.CapabilityKind = "", ""
	}
}

// decodeResult takes what a result says. The result of a tool may be an error although the call was answered.
func decodeResult(e *Event, result *fastjson.Value) {
	if !is(result, fastjson.TypeObject) {
		e.Text = string(result.GetStringBytes())
		return
	}
	if a2aResult(e, result) {
		return
	}
	switch {
	case isString(result, "stopReason") && !result.Exists("role"):
		acpTurnEnd(e, result)
	case isMCPResult(result) && !is(result.Get("protocolVersion"), fastjson.TypeNumber):
		e.Provider = ProviderMCP
	}
	e.Text = contentText(result.Get("content"))
	switch {
	case isArray(result, "contents"):
		e.Text = contentText(result.Get("contents"))
	case isArray(result, "messages"):
		e.Text = messagesText(result)
	}
	if isString(result, "role") && isString(result, "model") {
		e.Capability, e.FinishReason = text(result, "model"), text(result, "stopReason")
	}
	if server := textAt(result, "_meta", "io.modelcontextprotocol/serverInfo", "name"); server != "" {
		e.Provider = ProviderMCP
	}
	if text(result, "resultType") == "input_required" {
		e.FinishReason, e.Text = "input_required", inputRequired(result)
	}
	if isTrue(result, "isError") {
		e.Status, e.Error = StatusError, e.Text
	}
}

// inputRequired joins what a server asks of its client before it goes on.
func inputRequired(result *fastjson.Value) string {
	var asked []string
	result.Get("inputRequests").GetObject().Visit(func(_ []byte, request *fastjson.Value) {
		if s := cmp.Or(textAt(request, "params", "message"), messagesText(request.Get("params")), text(request, "method")); s != "" {
			asked = append(asked, s)
		}
	})
	return strings.Join(asked, "\n")
}

// isMCPResult knows results by the members that only MCP's have.
func isMCPResult(result *fastjson.Value) bool {
	for _, key := range []string{
		"content", "contents", "structuredContent", "tools", "resources", "resourceTemplates", "prompts", "roots",
		"protocolVersion", "supportedVersions", "completion", "resultType",
	} {
		if result.Exists(key) {
			return true
		}
	}
	return false
}

func mcpProvider(method string) string {
	if method == "initialize" || method == "ping" {
		return ProviderMCP
	}
	family, _, _ := strings.Cut(method, "/")
	switch family {
	case "tools", "resources", "prompts", "notifications", "sampling", "roots", "elicitation", "completion", "logging",
		"tasks", "server", "subscriptions":
		return ProviderMCP
	}
	return ""
}

// contentText joins the texts of a content block or of a list of them, embedded resources included.
func contentText(content *fastjson.Value) string {
	blocks := []*fastjson.Value{content}
	if is(content, fastjson.TypeArray) {
		blocks = content.GetArray()
	}
	var texts []string
	for _, block := range blocks {
		if s := text(block, "text"); s != "" {
			texts = append(texts, s)
		} else if s := textAt(block, "resource", "text"); s != "" {
			texts = append(texts, s)
		}
	}
	return strings.Join(texts, "\n")
}

// messagesText joins the texts of a prompt's messages.
func messagesText(v *fastjson.Value) string {
	if v == nil {
		return ""
	}
	var texts []string
	for _, message := range v.GetArray("messages") {
		if s := contentText(message.Get("content")); s != "" {
			texts = append(texts, s)
		}
	}
	return strings.Join(texts, "\n")
}
