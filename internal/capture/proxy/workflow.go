package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// HeaderWorkflow names the workflow of a request; it is not passed on.
const HeaderWorkflow = "Assay-Workflow"

// workflowBytesMax is how long the name of a workflow may be; a longer one is known by its digest.
const workflowBytesMax = 512

// headersOfWorkflow name the conversation that a request belongs to, the first that is there counts: ours, Helicone's,
// Langfuse's two spellings, OpenRouter's.
var headersOfWorkflow = []string{HeaderWorkflow, "Helicone-Session-Id", "Langfuse-Session-Id", "langfuse_session_id", "X-Session-Id"}

// workflowOfHeader returns the workflow that the headers of a request name, "" if they name none. The last to be looked at
// is the trace of W3C's trace context.
func workflowOfHeader(header http.Header) string {
	for _, name := range headersOfWorkflow {
		if id := named(header.Get(name)); id != "" {
			return id
		}
	}
	parts := strings.Split(header.Get("Traceparent"), "-")
	if len(parts) >= 4 && len(parts[1]) == 32 && strings.Trim(parts[1], "0") != "" {
		return strings.ToLower(parts[1])
	}
	return ""
}

// place is the workflow of an exchange.
type place struct {
	known    chan struct{} // closed once workflow is known
	workflow string
}

// placeTimeMax is how long a request that goes on from an answer waits for that answer's place.
const placeTimeMax = time.Second

// of returns the workflow, if it becomes known in time.
func (p *place) of() (string, bool) {
	timer := time.NewTimer(placeTimeMax)
	defer timer.Stop()
	select {
	case <-p.known:
		return p.workflow, true
	case <-timer.C:
		return "", false
	}
}

// workflowOf returns the workflow of a request: the one that its headers name, or its body; else the proxy's, if it has
// one; else that of the session or the conversation. But for answers that are gone on from it depends on the request alone.
func (r *recording) workflowOf(request []byte) string {
	if r.named != "" {
		return r.named
	}
	v, err := formats.Parse(request)
	if err != nil || v.Type() != fastjson.TypeObject {
		v = nil
	}
	if id := namedInBody(v); id != "" {
		return id
	}
	if thread := threadPath.FindStringSubmatch(r.entry.Path); thread != nil {
		return named(thread[1])
	}
	if previous := named(textOf(v.Get("previous_response_id"))); previous != "" {
		if answer, ok := r.proxy.answers.get(previous); ok && answer != r.place {
			if workflow, ok := answer.of(); ok {
				return workflow
			}
		}
		return previous
	}
	for _, key := range []string{"prompt_cache_key", "user"} {
		if id := named(textOf(v.Get(key))); id != "" {
			return id
		}
	}
	switch start := beginning(r.entry.Path, v); {
	case r.proxy.opts.Workflow != "":
		return r.proxy.opts.Workflow
	case r.session.name != "":
		return r.session.name
	case start != "":
		return start
	}
	return DefaultWorkflow
}

// threadPath is how a LangGraph server is asked for a run in a thread.
var threadPath = regexp.MustCompile(`/threads/([^/]+)/(?:runs|stream)`)

// namedInBody returns the conversation that a body names by an id of its own.
func namedInBody(v *fastjson.Value) string {
	ids := []string{"session_id", "conversation_id", "thread_id"}
	for _, key := range append(ids, "user_id") {
		if id := named(textOf(v.Get("metadata", key))); id != "" {
			return id
		}
	}
	conversation := v.Get("conversation")
	if id := named(textOf(conversation)); id != "" {
		return id
	}
	if id := named(textOf(conversation.Get("id"))); id != "" {
		return id
	}
	for _, key := range ids {
		if id := named(textOf(v.Get(key))); id != "" {
			return id
		}
	}
	return ""
}

// beginning returns the name of the conversation that a request to a model carries: a digest of what it begins with, the
// system's words and the user's first, which all its later requests repeat. It is "" for what is no conversation.
func beginning(path string, v *fastjson.Value) string {
	var words strings.Builder
	for _, key := range []string{"system", "instructions", "systemInstruction", "system_instruction"} {
		say(&words, v.Get(key))
	}
	messages := v.Get("messages") // Chat Completions, Anthropic, Cohere, Bedrock, Ollama
	if messages == nil {
		messages = v.Get("contents") // Gemini
	}
	if input := v.Get("input"); messages == nil && strings.Contains(path, "responses") {
		if input.Type() == fastjson.TypeString {
			say(&words, input)
			return conversation(words.String())
		}
		messages = input
	}
	for _, message := range messages.GetArray() {
		say(&words, message)
		if role := textOf(message.Get("role")); role == "user" || role == "" {
			return conversation(words.String())
		}
	}
	return ""
}

func conversation(words string) string {
	digest := sha256.Sum256([]byte(words))
	return "conversation-" + hex.EncodeToString(digest[:8])
}

// say adds the words of a message, however they are nested, each with a mark behind it. Only words count: marks for caches
// wander from message to message.
func say(words *strings.Builder, v *fastjson.Value) {
	switch {
	case v == nil:
	case v.Type() == fastjson.TypeString:
		words.WriteString(textOf(v))
		words.WriteByte(0)
	case v.Type() == fastjson.TypeArray:
		for _, item := range v.GetArray() {
			say(words, item)
		}
	case v.Type() == fastjson.TypeObject:
		for _, key := range []string{"content", "parts", "text", "image_url", "source", "url", "data"} {
			say(words, v.Get(key))
		}
	}
}

// named returns an id that may name a workflow, shortened to its digest if it is too long; "" if it is blank.
func named(id string) string {
	id = strings.TrimSpace(strings.ToValidUTF8(id, "\ufffd"))
	if len(id) <= workflowBytesMax {
		return id
	}
	digest := sha256.Sum256([]byte(id))
	return hex.EncodeToString(digest[:])
}

// textOf returns the text of a JSON string, "" for all else.
func textOf(v *fastjson.Value) string {
	if v == nil || v.Type() != fastjson.TypeString {
		return ""
	}
	return string(v.GetStringBytes())
}

// responseID finds the id of an answer of OpenAI's Responses API, as JSON or as events.
var responseID = regexp.MustCompile(`"id"\s*:\s*"(resp_[A-Za-z0-9_-]+)"`)

// idFinder looks for the id of an answer in its first bytes.
type idFinder struct {
	found func(id string)
	head  []byte
	done  bool
}

func (f *idFinder) Write(p []byte) (int, error) {
	if !f.done {
		f.head = append(f.head, p[:min(len(p), headBytes-len(f.head))]...)
		if match := responseID.FindSubmatch(f.head); match != nil {
			f.found(string(match[1]))
			f.done = true
		}
		if f.done = f.done || len(f.head) == headBytes; f.done {
			f.head = nil
		}
	}
	return len(p), nil
}
