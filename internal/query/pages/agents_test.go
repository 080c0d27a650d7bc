package pages

import (
	"fmt"
	"strings"
	"testing"

	"assay/internal/query"
)

// What agents do for the main one is read agent by agent; who only calls, as the client of a tool does, is none.
func TestStrands(t *testing.T) {
	for written, want := range map[string]string{
		"":                             "",
		"/user /assistant /call":       "(/user /assistant /call)",
		"/user /assistant client/call": "(/user /assistant client/call)",
		"/user /assistant a/assistant b/assistant a/call b/call /assistant": "(/user /assistant) a(a/assistant a/call) b(b/assistant b/call) (/assistant)",
		"m/assistant a/assistant m/assistant a/assistant":                   "(m/assistant) a(a/assistant) (m/assistant) a(a/assistant)",
		"/user m/assistant /user m/call":                                    "(/user m/assistant /user m/call)",
	} {
		var turns []turn
		var plain []query.Turn
		for _, word := range strings.Fields(written) {
			agent, speaker, _ := strings.Cut(word, "/")
			x := query.Turn{Speaker: speaker, Entity: query.Entity{AgentID: agent}}
			turns, plain = append(turns, turn{Turn: x}), append(plain, x)
		}
		var got []string
		for _, s := range strands(turns, mainAgent(plain)) {
			var words []string
			for _, x := range s.Turns {
				words = append(words, x.AgentID+"/"+x.Speaker)
			}
			got = append(got, fmt.Sprintf("%s(%s)", s.Agent, strings.Join(words, " ")))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", written, strings.Join(got, " "), want)
		}
	}
}
