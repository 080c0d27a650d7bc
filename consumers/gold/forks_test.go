package gold

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"assay/consumers/gold/model"
	"assay/sovereign/schema"
	"assay/streams"
)

// TestAForkAddsOnlyItsOwn shows that what a fork has copied counts to the session that it is of, whatever comes first, and with the fork
// alone, too.
func TestAForkAddsOnlyItsOwn(t *testing.T) {
	line := func(session, uuid, parent, more, body string) string {
		return fmt.Sprintf(`{"sessionId":%q,"uuid":%q,"parentUuid":%q,"timestamp":"2026-01-02T03:04:05.000Z"%s,%s}`, session, uuid, parent, more, body)
	}
	said := []string{
		`"type":"user","message":{"role":"user","content":"May I fly?"}`,
		`"type":"assistant","message":{"id":"msg_1","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Let me look."}],"usage":{"input_tokens":20,"output_tokens":9}}`,
	}
	var original, fork []string
	for i, body := range said {
		uuid, parent := fmt.Sprint("u", i), fmt.Sprint("u", i-1)
		original = append(original, line("first", uuid, parent, "", body))
		fork = append(fork, line("second", uuid, parent, `,"forkedFrom":{"sessionId":"first","messageUuid":"`+uuid+`"}`, body))
	}
	fork = append(fork, line("second", "n0", "u1", "", `"type":"user","message":{"role":"user","content":"And a kite?"}`))
	k := newTalk()
	for workflow, lines := range map[string][]string{"first": original, "second": fork} {
		k.workflow = workflow
		for i, text := range lines {
			k.add(streams.SourceEvent, streams.ContentNDJSON, workflow+".jsonl", "", "", text+"\n")
			k.frames[len(k.frames)-1].Position = uint64(i)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.Permutation(k.frames).Draw(t, "order")
		if rapid.Bool().Draw(t, "the fork alone") {
			frames = nil
			for _, f := range k.frames {
				if f.Workflow == "second" {
					frames = append(frames, f)
				}
			}
		}
		store := newMemory()
		g := open(t, testOptions(store))
		defer g.Close()
		k.deliver(t, g, frames, rapid.IntRange(1, len(frames)).Draw(t, "together"))
		h := hearOf(t, g, store)
		var messages []string
		for _, e := range h.entities {
			if e.Kind == model.KindMessage {
				messages = append(messages, e.WorkflowID+": "+e.Text)
			}
		}
		expect(t, "messages", len(messages), 3)
		expect(t, "the fork's own", strings.Count(strings.Join(messages, "\n"), "second: And a kite?"), 1)
		expect(t, "events", len(store.tables[schema.Traces]), 3)
		if said := h.metrics["claude-sonnet-4-5"]; said == nil || said.Calls != 1 || said.OutputTokens != 9 {
			t.Fatalf("the model: %+v", said)
		}
	})
}
