package gold

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/sovereign/schema"
)

// An agent that recalls, and is recorded while it does, a hundred times: what it recalls is the original, and none of the answers
// that it was given, nor the questions that they answer.
func TestAnswersOfTheMemoryAreNoEpisodes(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	of := func(kind string, phase bronze.Phase, i int, text string) capture {
		return newCapture(capture{Event: model.Event{
			Kind: kind, Phase: phase, Workflow: "w", Stream: "s", Position: uint64(2*i + len(phase)%2), Capability: "recall", Text: text,
			Payload: fmt.Sprintf("%q", text), InputTokens: -1, OutputTokens: -1,
		}}, fmt.Sprint("call ", i))
	}
	original := "the linker never sees the archive"
	captures := []capture{of(bronze.KindObservation, bronze.PhaseEnd, 1000, original)}
	for i := range 100 {
		answer := fmt.Sprintf(`{"hits":[{"text":%q}],"notice":"%s: texts"} %s`, original, bronze.AnswerMark, strings.Repeat("and more ", 500))
		captures = append(captures, of(bronze.KindRPCRequest, bronze.PhaseStart, i, original), of(bronze.KindRPCResponse, bronze.PhaseEnd, i, answer))
	}
	deliver(t, g, 1, [][]capture{captures[:50]}, [][]capture{captures[50:]})
	if err := g.FlushAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	rows, err := store.byKey(schema.Episodes)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 {
		t.Errorf("%d episodes, want the original alone", len(rows))
	}
	entities, err := store.byKey(schema.Entities)
	if err != nil || len(entities) != 101 {
		t.Errorf("%d entities, error %v; they are recorded all the same", len(entities), err)
	}
}
