package api

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// documented are the methods of each path, as a client writes them.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	paths := map[string][]string{healthPath: {"get"}, readyPath: {"get"}}
	for _, r := range (&api{Options: options(untouchable{})}).routes() {
		method, path, found := strings.Cut(r.pattern, " ")
		if !found {
			method, path = "POST", r.pattern // /mcp, which is asked by POST
		}
		if !strings.HasPrefix(path, "/v1/") && path != "/mcp" && path != "/metrics" {
			continue // pages
		}
		path = strings.ReplaceAll(path, "...}", "}")
		paths[path] = append(paths[path], strings.ToLower(method))
	}
	return paths
}

func TestTheDescriptionIsThatOfTheRoutes(t *testing.T) {
	text, err := os.ReadFile("../../../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &described); err != nil {
		t.Fatal(err)
	}
	routes := documented(t)
	for path, methods := range routes {
		for _, method := range methods {
			if described.Paths[path][method] == nil {
				t.Errorf("docs/openapi.yaml lacks %s %s", method, path)
			}
		}
	}
	for path, methods := range described.Paths {
		for method := range methods {
			if method != "parameters" && !slices.Contains(routes[path], method) {
				t.Errorf("docs/openapi.yaml has %s %s, which is no route", method, path)
			}
		}
	}
}

// The page for people names every path, whatever it calls the ids in it.
func TestThePageNamesEveryPath(t *testing.T) {
	page, err := os.ReadFile("../../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.NewReplacer("{source}", "sse", "{workflow}", "chat-42", "{edge}", "EDGE")
	for path := range documented(t) {
		named := false
		for _, id := range []string{"chat-42", "ID", "ENTITY", "EVENT"} {
			named = named || strings.Contains(string(page), strings.ReplaceAll(examples.Replace(path), "{id}", id))
		}
		if !named {
			t.Errorf("docs/http.md does not name %s", path)
		}
	}
}
