package promotion

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// mcpStub answers as the official registry does, down to its 400 for a version that it has.
type mcpStub struct {
	*httptest.Server
	mu          sync.Mutex
	servers     map[string]json.RawMessage // by name and version
	published   map[string]int             // by event_uuid
	posts, gets int
	token       string // that it wants
}

func newMCPStub(t *testing.T) *mcpStub {
	t.Helper()
	s := &mcpStub{servers: map[string]json.RawMessage{}, published: map[string]int{}, token: "secret"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v0.1/publish", s.publish)
	mux.HandleFunc("GET /v0.1/servers/{name}/versions/{version}", s.version)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *mcpStub) publish(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts++
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		http.Error(w, `{"detail":"Invalid or expired Registry JWT token"}`, http.StatusUnauthorized)
		return
	}
	var raw json.RawMessage
	var server struct {
		Name, Version string
		Meta          map[string]struct {
			EventUUID string `json:"event_uuid"`
		} `json:"_meta"`
	}
	if json.NewDecoder(r.Body).Decode(&raw) != nil || json.Unmarshal(raw, &server) != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	key := server.Name + " " + server.Version
	if s.servers[key] != nil {
		http.Error(w, `{"detail":"invalid version: cannot publish duplicate version"}`, http.StatusBadRequest)
		return
	}
	s.servers[key] = raw
	s.published[server.Meta[mcpMeta].EventUUID]++
	fmt.Fprintf(w, `{"server":%s,"_meta":{}}`, raw)
}

func (s *mcpStub) version(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	raw := s.servers[r.PathValue("name")+" "+r.PathValue("version")]
	if raw == nil {
		http.NotFound(w, r)
		return
	}
	fmt.Fprintf(w, `{"server":%s,"_meta":{}}`, raw)
}

func (s *mcpStub) registry(t *testing.T) Registry {
	t.Helper()
	t.Setenv("TEST_REGISTRY_TOKEN", "secret")
	r, err := Open(KindMCP, Endpoint{URL: s.URL, TokenEnv: "TEST_REGISTRY_TOKEN"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func promotionOf(t *testing.T, i int) *Promotion {
	t.Helper()
	p, err := Parse(eventID(i), "wf", event(i))
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func TestMCPPublish(t *testing.T) {
	s := newMCPStub(t)
	r, p := s.registry(t), promotionOf(t, 3)
	if _, found, err := r.Lookup(t.Context(), p); found || err != nil {
		t.Errorf("before it is published: found %v, error %v", found, err)
	}
	const want = "urn:mcp:io.modelcontextprotocol.anonymous/node-3:1.0.1760000000750000-"
	for range 2 { // the second time the registry answers 400, and has it
		if urn, err := r.Publish(t.Context(), p); err != nil || urn != want+p.EventUUID {
			t.Errorf("urn %q, error %v", urn, err)
		}
	}
	if urn, found, err := r.Lookup(t.Context(), p); !found || err != nil || urn != want+p.EventUUID {
		t.Errorf("after it is published: %q, found %v, error %v", urn, found, err)
	}
	if s.published[p.EventUUID] != 1 {
		t.Errorf("published %v", s.published)
	}
	var sent struct {
		Schema string `json:"$schema"`
		Meta   map[string]Promotion
	}
	for _, raw := range s.servers {
		if err := json.Unmarshal([]byte(strings.Replace(string(raw), "_meta", "Meta", 1)), &sent); err != nil {
			t.Fatal(err)
		}
	}
	if sent.Schema != mcpSchema || sent.Meta[mcpMeta].EventCID != "promotion-3" || len(sent.Meta[mcpMeta].Sources) != 2 {
		t.Errorf("sent %+v", sent)
	}
}

func TestMCPRefusesToken(t *testing.T) {
	s := newMCPStub(t)
	s.token = "another"
	if _, err := s.registry(t).Publish(t.Context(), promotionOf(t, 0)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a wrong token: %v", err)
	}
}

// The token is read for each request, so a renewed one is used without a restart.
func TestTokenIsReadAgain(t *testing.T) {
	s := newMCPStub(t)
	file := filepath.Join(t.TempDir(), "token")
	r, err := NewMCP(Endpoint{URL: s.URL, TokenFile: file, Namespace: "com.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Publish(t.Context(), promotionOf(t, 0)); !errors.Is(err, ErrUnavailable) || s.posts != 0 {
		t.Errorf("without the file: %v", err)
	}
	for content, want := range map[string]error{"wrong\n": ErrUnavailable, "secret\n": nil} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Publish(t.Context(), promotionOf(t, 0)); !errors.Is(err, want) {
			t.Errorf("token %q: %v", content, err)
		}
	}
}

func TestMCPNames(t *testing.T) {
	m := &MCP{namespace: "com.example"}
	seen := map[string]string{}
	for _, cid := range []string{"node", "a", "-a", "a.", "a:b", "a-b", "a_b", ":", "::", ".", "did:example:123", strings.Repeat("x:", 64)} {
		name := m.serverName(&Promotion{NodeCID: cid})
		_, part, _ := strings.Cut(name, "/")
		if !mcpNamePattern.MatchString(part) || len(name) > 200 || seen[name] != "" {
			t.Errorf("%q becomes %q, as does %q", cid, name, seen[name])
		}
		seen[name] = cid
	}
}

// What the registry does not take as a whole is told by number and digest.
func TestMCPLongPromotion(t *testing.T) {
	p := promotionOf(t, 0)
	for i := range 1000 {
		p.Sources = append(p.Sources, fmt.Sprintf("ev-%06d", i))
	}
	raw, err := provided(p)
	if err != nil || len(raw) > mcpMetaBytesMax || !strings.Contains(string(raw), `"source_count":1002,"source_sha256":"`) {
		t.Errorf("%s, error %v", raw, err)
	}
}
