package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"assay/consumers/bronze"
	"assay/internal/query"
	"assay/internal/test/npm"
	servers "assay/internal/test/program"
	"assay/streams"
)

// The official conformance suite for servers finds at the program's /mcp nothing wrong that a memory has a use for. That the rest of
// the protocol is as it should be, package mcp shows.
func TestConformanceOfMCP(t *testing.T) {
	t.Parallel()
	suite := npm.Conformance(t)
	server, url := serve(t, t.TempDir())
	defer server.stop(t)
	suite.Check(t, url+"/mcp", filepath.Join("testdata", "mcp_conformance.yaml"))
}

// The official client for Python finds over both transports what a recorded session says.
func TestMCPClientForPython(t *testing.T) {
	t.Parallel()
	python := servers.Python(t, "TEST_MCP_PYTHON", "from mcp.client.streamable_http import streamable_http_client", "mcp 2 or newer")
	data := t.TempDir()
	if out, err := command(t.Context(), "run", "--data", data, "--sample", "--until-idle").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	client := func(arguments ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), python, append([]string{filepath.Join("testdata", "mcp_client.py")}, arguments...)...)
		cmd.Env = append(os.Environ(), "ASSAY_LOG_LEVEL=error")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", arguments, err, out)
		}
	}
	program := command(t.Context(), "mcp", "--data", data)
	client(append([]string{"stdio"}, program.Args...)...)
	server, url := serve(t, data)
	defer server.stop(t)
	client("http", url+"/mcp")
	client(append([]string{"stdio"}, command(t.Context(), "mcp", "--server", url).Args...)...)
}

// An agent that recalls through a recorded connection a hundred times finds the original first, and nothing of what the memory has
// answered it.
func TestMemoryDoesNotFindItsOwnAnswers(t *testing.T) {
	t.Parallel()
	const original, question = "the linker never sees the archive, so symbols are missing", "why are symbols missing when linking"
	server, url := serve(t, t.TempDir())
	defer server.stop(t)
	remote := query.NewRemote(url, "")
	observation := `{"type":"observation","event_cid":"o-1","workflow_id":"build","payload":{"observation":"` + original + `"}}` + "\n"
	if err := remote.Record(t.Context(), streams.SourceEvent, "build", "s", []byte(observation)); err != nil {
		t.Fatal(err)
	}
	soon(t, func() (bool, error) {
		hits, err := remote.Recall(t.Context(), query.RecallRequest{Query: question})
		return len(hits) > 0, err
	})
	proxy, address := begin(t, command(t.Context(), "proxy", "--server", url, "--spool", t.TempDir(), "--listen", "127.0.0.1:0", "--upstream", url), " at ")
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: address + "/mcp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		answer, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "recall", Arguments: map[string]any{"query": question}})
		if err != nil || answer.IsError || !strings.Contains(fmt.Sprint(answer.StructuredContent), original) {
			t.Fatal(answer, err)
		}
	}
	_ = session.Close()
	proxy.stop(t)
	soon(t, func() (bool, error) {
		recorded, err := remote.Capabilities(t.Context())
		calls := int64(0)
		for _, c := range recorded {
			if c.Capability == "recall" {
				calls += c.Calls
			}
		}
		return calls == 100, err
	})
	hits, err := remote.Recall(t.Context(), query.RecallRequest{Query: question, Limit: 50})
	if err != nil || len(hits) == 0 || hits[0].Text != original || hits[0].WorkflowID != "build" {
		t.Fatalf("%+v, %v", hits, err)
	}
	for _, h := range hits {
		if bronze.IsAnswer(h.Text) {
			t.Errorf("an answer is found: %s", h.Text)
		}
	}
}

// soon looks again and again until a condition holds that nothing tells of.
func soon(t *testing.T, holds func() (bool, error)) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := holds()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		<-tick.C
	}
}
