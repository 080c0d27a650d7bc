package bronze_test

import (
	"path/filepath"
	"testing"
)

// TestOtherAgents holds transcripts of agents with formats of their own to what was counted in them by hand.
func TestOtherAgents(t *testing.T) {
	dir, _ := samples(t)
	type counts struct {
		prompts, answers, calls, results, errors, compactions int
		input, output, cached                                 int64
	}
	for name, want := range map[string]counts{
		"jazzyalex_agent-sessions/kimi/assistant_tools.jsonl": {
			prompts: 8, answers: 22, calls: 19, results: 19, errors: 1, compactions: 1, input: 649307, output: 4578, cached: 620544,
		},
		"jazzyalex_agent-sessions/droid/session_store_large.jsonl": {prompts: 2, answers: 4, calls: 1, results: 1},
		"jazzyalex_agent-sessions/droid/stream_json_small.jsonl":   {prompts: 1, answers: 1, calls: 1, results: 1},
		"jazzyalex_agent-sessions/cursor/large.jsonl":              {prompts: 3, answers: 5, results: 2},
		"jazzyalex_agent-sessions/cursor/schema_drift.jsonl":       {prompts: 1, answers: 2, results: 1},
		"jazzyalex_agent-sessions/hermes/large.json":               {prompts: 1, answers: 2, calls: 1, results: 1},
		"jazzyalex_agent-sessions/hermes/small.json":               {prompts: 1, answers: 1},
		"jazzyalex_agent-sessions/antigravity/cli_small.jsonl":     {prompts: 2, answers: 3, calls: 9, results: 9, compactions: 1},
		"specstoryai_getspecstory/musecode/session-basic.jsonl":    {prompts: 1, answers: 1, calls: 1, results: 1, input: 37280, output: 689, cached: 100},
	} {
		t.Run(name, func(t *testing.T) {
			got := tell(t, filepath.Join(dir, "other-agents", name))
			if len(got.dead) > 0 {
				t.Errorf("dead: %v", got.dead)
			}
			if sum := (counts{got.prompts, got.answers, got.calls, got.results, got.errors, got.compactions, got.input, got.output, got.cached}); sum != want {
				t.Errorf("%+v, want %+v", sum, want)
			}
		})
	}
}
