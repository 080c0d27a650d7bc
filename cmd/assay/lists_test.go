package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assay/internal/query"
)

// Lists come in pages, which together are the whole list: of promotions and of dead letters.
func TestListsInPages(t *testing.T) {
	t.Parallel()
	data, input := t.TempDir(), filepath.Join(t.TempDir(), "in.ndjson")
	var lines strings.Builder
	const n = 7
	for i := range n {
		fmt.Fprintf(&lines, `{"type":"epistemic_promotion","event_cid":"p-%d","timestamp":%d,"source_episodic_event_cids":["a"],`+
			`"crystallized_semantic_node_cid":"n","compression_ratio":0.5}`+"\n", i, 10-i/2) // some at the same time
		fmt.Fprintf(&lines, "{%d\n", i)
	}
	if err := os.WriteFile(input, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	server, url := serve(t, data)
	output(t, "ingest", "--server", url, "--source", "event", input)
	server.stop(t)
	server, url = serve(t, data)
	defer server.stop(t)
	remote := query.NewRemote(url, "")

	for _, newest := range []bool{false, true} {
		promotions := func(limit int) (ids []string, pages int) {
			request := query.PromotionsRequest{Newest: newest, Limit: limit}
			for {
				page, err := remote.Promotions(t.Context(), request)
				if err != nil || len(page.Promotions) > limit {
					t.Fatal(len(page.Promotions), err)
				}
				for _, p := range page.Promotions {
					ids = append(ids, p.EventCID)
				}
				if request.Cursor, pages = page.Next, pages+1; page.Next == "" {
					return ids, pages
				}
			}
		}
		whole, _ := promotions(100)
		paged, pages := promotions(2)
		if len(whole) != n || !slices.Equal(whole, paged) || pages != 4 {
			t.Errorf("newest %v: %v, in %d pages %v", newest, whole, pages, paged)
		}
	}

	var positions []uint64
	for request := (query.DeadRequest{Limit: 3}); ; {
		page, err := remote.Dead(t.Context(), request)
		if err != nil || len(page.Dead) > 3 {
			t.Fatal(len(page.Dead), err)
		}
		for _, d := range page.Dead {
			positions = append(positions, d.Position)
		}
		if request.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if !slices.Equal(positions, []uint64{1, 3, 5, 7, 9, 11, 13}) {
		t.Errorf("dead letters at %v", positions)
	}

	var some []query.Promotion
	if err := json.Unmarshal(output(t, "promotions", "--server", url, "--json", "--limit", "3"), &some); err != nil || len(some) != 3 {
		t.Error(len(some), err)
	}
	for _, cursor := range []string{"x", "1.", ".", "1.2"} {
		if _, err := remote.Promotions(t.Context(), query.PromotionsRequest{Cursor: cursor}); err == nil {
			t.Errorf("cursor %q is taken", cursor)
		}
	}
}
