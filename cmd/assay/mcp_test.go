package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// conformanceVersion is the release of npm's @modelcontextprotocol/conformance that /mcp is held against; it needs a newer Node.js
// than many systems have, which npm has too.
const (
	conformanceVersion = "0.1.16"
	conformanceNode    = "22"
)

// The official conformance suite for servers finds nothing wrong with /mcp. Most of its scenarios call tools and prompts that only
// its own example server has; those are listed as failures that are expected.
func TestConformanceOfMCP(t *testing.T) {
	t.Parallel()
	dir := npmPackages(t, "mcp-conformance-"+conformanceVersion,
		"@modelcontextprotocol/conformance@"+conformanceVersion, "node@"+conformanceNode)
	modules := filepath.Join(dir, "node_modules")
	server, url := serve(t, t.TempDir())
	defer server.stop(t)
	for _, version := range []string{"2025-06-18", "2025-11-25"} {
		suite := exec.CommandContext(t.Context(), filepath.Join(modules, ".bin", "node"),
			filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js"), "server", "--url", url+"/mcp",
			"--spec-version", version, "--expected-failures", filepath.Join("testdata", "mcp_conformance.yaml"), "--output-dir", t.TempDir())
		if out, err := suite.CombinedOutput(); err != nil {
			t.Errorf("version %s: %v\n%s", version, err, out)
		}
	}
}

// The official client for Python finds over both transports what a recorded session says.
func TestMCPClientForPython(t *testing.T) {
	t.Parallel()
	python := os.Getenv("TEST_MCP_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "from mcp.client.streamable_http import streamable_http_client").Run(); err != nil {
		t.Skip("no Python with mcp 2 or newer; name one with TEST_MCP_PYTHON: ", err)
	}
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
