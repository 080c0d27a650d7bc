package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"assay/internal/test/npm"
	servers "assay/internal/test/program"
	"assay/streams"
)

// everythingVersion is the release of npm's @modelcontextprotocol/server-everything that the tests talk to.
const everythingVersion = "2026.8.31"

// everything returns the command line of server-everything, which is installed once into the user's cache directory. It
// skips the test where that cannot be.
func everything(t *testing.T) []string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not here:", err)
	}
	dir := npm.Packages(t, "server-everything-"+everythingVersion, "@modelcontextprotocol/server-everything@"+everythingVersion)
	return []string{node, filepath.Join(dir, "node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js")}
}

// talk uses a server as a host does: it lists, calls, reads, and has its own requests answered.
func talk(t *testing.T, transport mcp.Transport) {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "assay-test", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
	})
	session, err := client.Connect(t.Context(), transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) == 0 {
		t.Errorf("tools: %v, %v", tools, err)
	}
	if _, err := session.ListPrompts(t.Context(), nil); err != nil {
		t.Error("prompts:", err)
	}
	if _, err := session.ListResources(t.Context(), nil); err != nil {
		t.Error("resources:", err)
	}
	for tool, arguments := range map[string]map[string]any{
		"echo": {"message": "Grüße\n\"quoted\" \\ \u2028"}, "get-tiny-image": {}, "get-sum": {"a": 1, "b": 2},
		"trigger-elicitation-request": {}, "trigger-long-running-operation": {"duration": 0.2, "steps": 3},
	} {
		call := &mcp.CallToolParams{Name: tool, Arguments: arguments}
		call.SetProgressToken(tool)
		if _, err := session.CallTool(t.Context(), call); err != nil {
			t.Errorf("%s: %v", tool, err)
		}
	}
	if err := session.Close(); err != nil {
		t.Error("close:", err)
	}
}

// said keeps what passes.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

// Through the tap, into a running server: what each side said, byte for byte, is what is replayed.
func TestTapWithTheOfficialServer(t *testing.T) {
	t.Parallel()
	stdio, data := append(everything(t), "stdio"), t.TempDir()
	server, url := serve(t, data)
	var client, other said
	args := append([]string{"tap", "--server", url, "--workflow", "w", "--spool", t.TempDir(), "--"}, stdio...)
	tap := command(t.Context(), args...)
	stdin, err := tap.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	tap.Stdout, tap.Stderr = io.MultiWriter(&other, writer), os.Stderr
	if err := tap.Start(); err != nil {
		t.Fatal(err)
	}
	talk(t, &mcp.IOTransport{Reader: io.NopCloser(reader), Writer: struct {
		io.Writer
		io.Closer
	}{io.MultiWriter(&client, stdin), stdin}})
	// A host that has closed the server's input soon tells it to stop; the tap passes that on, and the server's end back.
	_ = tap.Process.Signal(syscall.SIGTERM)
	go func() { _, _ = io.Copy(io.Discard, reader) }() // the server's last words
	if err := tap.Wait(); err != nil && tap.ProcessState.ExitCode() != 128+int(syscall.SIGTERM) {
		t.Error("tap:", err)
	}
	_ = writer.Close()
	server.stop(t)
	replayed := output(t, "replay", "--data", data, "--workflow", "w", "--source", "jsonrpc") // without how the server ended
	if err := interleaved(replayed, client.all.Bytes(), other.all.Bytes()); err != nil || client.all.Len() == 0 {
		t.Error(err)
	}
	t.Logf("%d bytes of the client, %d of the server", client.all.Len(), other.all.Len())
}

// interleaved reports how whole differs from the lines of two sides, in some order that keeps each side's own.
func interleaved(whole, a, b []byte) error {
	for line := range bytes.Lines(whole) {
		switch {
		case bytes.HasPrefix(a, line):
			a = a[len(line):]
		case bytes.HasPrefix(b, line):
			b = b[len(line):]
		default:
			return fmt.Errorf("nobody said %q next", line)
		}
	}
	if len(a)+len(b) > 0 {
		return fmt.Errorf("not recorded: %q and %q", a, b)
	}
	return nil
}

// Through the proxy, with the server's streamable HTTP: every body that passed is recorded, byte for byte.
func TestProxyWithTheOfficialServer(t *testing.T) {
	t.Parallel()
	port, data := servers.FreePort(t), t.TempDir()
	node := exec.CommandContext(t.Context(), "env", append([]string{"PORT=" + strconv.Itoa(port)}, append(everything(t), "streamableHttp")...)...)
	upstream, _ := begin(t, node, "listening on port")
	server, url := serve(t, data)
	proxy, address := begin(t, command(t.Context(), "proxy", "--server", url, "--workflow", "w", "--spool", t.TempDir(),
		"--listen", "127.0.0.1:0", "--upstream", fmt.Sprintf("http://127.0.0.1:%d", port)), " at ")
	passed := &passages{}
	talk(t, &mcp.StreamableClientTransport{Endpoint: address + "/mcp", HTTPClient: &http.Client{Transport: passed}})
	_ = upstream.Process.Kill() // it keeps a stream of the session open
	upstream.reader.Wait()
	_ = upstream.Wait()
	proxy.stop(t)
	server.stop(t)
	frames := slices.DeleteFunc(framesOf(t, data), func(f *streams.Frame) bool { return f.Source == streams.SourceHTTP }) // how exchanges went
	if err := passed.account(frames); err != nil {
		t.Error(err)
	}
	var whole, replayed []byte
	for _, f := range frames {
		whole = append(whole, f.Body...)
	}
	for line := range bytes.Lines(output(t, "replay", "--data", data, "--workflow", "w", "--json")) {
		var frame struct{ Source, Body string }
		if err := json.Unmarshal(line, &frame); err != nil {
			t.Fatal(err)
		}
		if frame.Source != string(streams.SourceHTTP) {
			replayed = append(replayed, frame.Body...)
		}
	}
	if !bytes.Equal(replayed, whole) {
		t.Error("replay prints other bytes than the frames have")
	}
	t.Logf("%d bytes in %d frames of %d bodies", len(whole), len(frames), len(passed.bodies))
}

// passages is an HTTP transport that keeps the bodies of requests and answers.
type passages struct {
	mu     sync.Mutex
	bodies []*said
}

func (p *passages) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = p.keep(r.Body)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && strings.ContainsAny(response.Header.Get("Content-Type"), "/") {
		response.Body = p.keep(response.Body)
	}
	return response, err
}

func (p *passages) keep(body io.ReadCloser) io.ReadCloser {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &said{}
	p.bodies = append(p.bodies, s)
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(body, s), body}
}

// account fails unless the frames are the bodies: each frame goes on with one of them, and all are used up.
func (p *passages) account(frames []*streams.Frame) error {
	for _, f := range frames {
		if !p.use(f.Body) {
			return fmt.Errorf("frame %d of %s has what did not pass: %q", f.Position, f.Stream, f.Body)
		}
	}
	for _, b := range p.bodies {
		if b.all.Len() > 0 {
			return fmt.Errorf("not recorded: %q", &b.all)
		}
	}
	if len(frames) == 0 {
		return errors.New("nothing is recorded")
	}
	return nil
}

func (p *passages) use(frame []byte) bool {
	for _, b := range p.bodies {
		if bytes.HasPrefix(b.all.Bytes(), frame) {
			b.all.Next(len(frame))
			return true
		}
	}
	return false
}
