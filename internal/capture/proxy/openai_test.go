package proxy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sashabaranov/go-openai"

	"assay/streams"
)

// recordedChats returns the recordings of chat completions: SSE bodies of chunks that end in [DONE].
func recordedChats(t *testing.T) (chats []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "sse", "*.sse"))
	if err != nil || len(files) == 0 {
		t.Skip("the recordings in ../shared/data are not here")
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(body, []byte(`"chat.completion.chunk"`)) && bytes.Contains(body, []byte("[DONE]")) {
			chats = append(chats, string(body))
		}
	}
	return chats
}

// replaying serves the recordings: the model that a request names is a recording's number.
func replaying(t *testing.T, chats []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Model string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		if r.Header.Get("Authorization") != "Bearer secret" || !strings.HasSuffix(r.URL.Path, "/chat/completions") {
			t.Errorf("the upstream server is asked for %s with %q", r.URL, r.Header)
		}
		number, err := strconv.Atoi(request.Model)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		const piece = 100 // bytes: no event comes whole
		for part := range slices.Chunk([]byte(chats[number]), piece) {
			_, _ = w.Write(part)
			_ = http.NewResponseController(w).Flush()
		}
	})
}

// A client of OpenAI's API gets through the proxy what it gets without, and what the server sent is what is recorded.
func TestProxyPassesAnOpenAIClient(t *testing.T) {
	chats := recordedChats(t)
	upstream := replaying(t, chats)
	r := newRig(t, upstream)
	bare := httptest.NewServer(upstream)
	defer bare.Close()
	for number := range chats {
		got := askOpenAI(t, r.Server, number)
		if want := askOpenAI(t, bare, number); got != want || !strings.Contains(got, "EOF") {
			t.Errorf("recording %d: through the proxy the client gets\n%s\nand without\n%s", number, got, want)
		}
	}
	r.close()
	answers := map[string]string{}
	for _, f := range r.log.frames {
		if bytes.Contains(f.Body, []byte("secret")) {
			t.Errorf("the key is recorded in %q", f.Body)
		}
		if f.Source == streams.SourceSSE {
			answers[f.Stream] += string(f.Body)
		}
	}
	var recorded []string
	for _, answer := range answers {
		recorded = append(recorded, answer)
	}
	slices.Sort(recorded)
	slices.Sort(chats)
	if !slices.Equal(recorded, chats) {
		t.Errorf("%d answers are recorded of %d, or others", len(recorded), len(chats))
	}
}

// askOpenAI returns the chunks that a client of OpenAI's API makes of a recording, and the error that it ends with.
func askOpenAI(t *testing.T, server *httptest.Server, number int) string {
	t.Helper()
	config := openai.DefaultConfig("secret")
	config.BaseURL, config.HTTPClient = server.URL, thorough{server.Client()}
	stream, err := openai.NewClientWithConfig(config).CreateChatCompletionStream(t.Context(), openai.ChatCompletionRequest{
		Model: strconv.Itoa(number), Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "hello"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for err == nil {
		var chunk []byte
		chunk, err = stream.RecvRaw()
		all.Write(append(chunk, '\n'))
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	return all.String() + err.Error()
}

// thorough is an HTTP client that reads each answer to its end, also what its user no longer wants: this client hangs up
// at [DONE], a byte before the end.
type thorough struct{ *http.Client }

func (c thorough) Do(r *http.Request) (*http.Response, error) {
	response, err := c.Client.Do(r)
	if err == nil {
		response.Body = thoroughBody{response.Body}
	}
	return response, err
}

type thoroughBody struct{ io.ReadCloser }

func (b thoroughBody) Close() error {
	_, err := io.Copy(io.Discard, b.ReadCloser)
	return errors.Join(err, b.ReadCloser.Close())
}
