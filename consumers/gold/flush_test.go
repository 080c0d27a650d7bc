package gold

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/internal/embed"
	"assay/sovereign/schema"
)

// requestAndResponse returns the two events of one call.
func requestAndResponse(workflow, intent string) (request, response capture) {
	of := model.Event{Workflow: workflow, Stream: "s", Intent: intent, InputTokens: -1, OutputTokens: -1}
	ask, answer := of, of
	ask.Kind, ask.Phase, ask.Capability, ask.Text, ask.Payload = bronze.KindRPCRequest, bronze.PhaseStart, "read", "read it", `{"q":1}`
	answer.Kind, answer.Phase, answer.Position, answer.Text, answer.Payload = bronze.KindRPCResponse, bronze.PhaseEnd, 1, "it says", `{"a":1}`
	return newCapture(capture{Event: ask}, intent), newCapture(capture{Event: answer}, intent)
}

// message returns the events of a model's message, the last of which ends it.
func message(pieces ...string) (captures []capture) {
	for i, piece := range pieces {
		c := capture{Event: model.Event{
			Kind: bronze.KindTextDelta, Phase: bronze.PhaseDelta, Workflow: "w", Stream: "m", Intent: "m", Position: uint64(i),
			Capability: "gpt", InputTokens: -1, OutputTokens: -1, Text: piece,
		}, fragments: []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: piece}}}
		if i == len(pieces)-1 {
			c.Kind, c.Phase = bronze.KindMessageEnd, bronze.PhaseEnd
		}
		captures = append(captures, newCapture(c, "m"))
	}
	return captures
}

func flush(t *testing.T, g *Gold) {
	t.Helper()
	if err := g.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestAnEntityIsAppendedWhenItEndsAndMergedWhenItChanges(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	request, response := requestAndResponse("w", "1")
	deliver(t, g, 1, [][]capture{{request}})
	flush(t, g)
	if n := len(store.tables[schema.Entities]); n != 0 {
		t.Fatalf("%d rows of a call that is open", n)
	}
	if live, err := g.Unsettled(context.Background(), "w"); err != nil || len(live) != 1 || live[0].Status != "open" || live[0].Request != `{"q":1}` {
		t.Fatalf("unsettled: %+v, %v", live, err)
	}
	deliver(t, g, 2, [][]capture{{response}})
	flush(t, g)
	if live, err := g.Unsettled(context.Background(), "w"); err != nil || len(live) != 0 {
		t.Fatalf("unsettled: %+v, %v", live, err)
	}
	row := store.tables[schema.Entities][0]
	if row["status"] != "ok" || row["latency_us"] != "1000" || row["result"] != `{"a":1}` || row["text"] != "it says" {
		t.Errorf("row is %v", row)
	}
	earlier := request
	earlier.Captured -= 500
	deliver(t, g, 3, [][]capture{{earlier}})
	flush(t, g)
	if row := store.tables[schema.Entities][0]; row["latency_us"] != "1500" {
		t.Errorf("row is %v", row)
	}
	if a, m := store.calls["append "+schema.Entities], store.calls["merge "+schema.Entities]; a != 1 || m != 1 {
		t.Errorf("%d appends and %d merges, want one of each", a, m)
	}
	flush(t, g)
	if store.calls["merge "+schema.Entities] != 1 {
		t.Error("written though nothing changed")
	}
}

func TestAnOpenEntityIsWrittenOnceItIsQuiet(t *testing.T) {
	now := time.Now()
	store := newMemory()
	opts := testOptions(store)
	opts.Now = func() time.Time { return now }
	g := open(t, opts)
	defer g.Close()
	request, response := requestAndResponse("w", "1")
	deliver(t, g, 1, [][]capture{{request}})
	now = now.Add(opts.QuietAfter)
	flush(t, g)
	if rows := store.tables[schema.Entities]; len(rows) != 1 || rows[0]["status"] != "open" {
		t.Fatalf("rows are %v", rows)
	}
	deliver(t, g, 2, [][]capture{{response}})
	flush(t, g)
	if rows := store.tables[schema.Entities]; len(rows) != 1 || rows[0]["status"] != "ok" {
		t.Errorf("rows are %v", rows)
	}
}

func TestAChangeDuringAFlushIsNotForgotten(t *testing.T) {
	store := newMemory()
	opts := testOptions(store)
	opts.Now = func() time.Time { return time.UnixMicro(epoch) } // no clock tells the two apart
	g := open(t, opts)
	defer g.Close()
	request, response := requestAndResponse("w", "1")
	deliver(t, g, 1, [][]capture{{response}})
	changed := false
	store.fail = func(call string) (error, error) {
		if call == "append "+schema.Entities && !changed {
			changed = true
			deliver(t, g, 2, [][]capture{{request}})
		}
		return nil, nil
	}
	flush(t, g)
	if !changed {
		t.Fatal("nothing was appended")
	}
	flush(t, g)
	if row := store.tables[schema.Entities][0]; row["capability"] != "read" {
		t.Errorf("row is %v", row)
	}
}

func TestEpisodesAreWholeMessages(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	deliver(t, g, 1, [][]capture{message("Once upon ", "a time", ".")})
	flush(t, g)
	episodes := store.tables[schema.Episodes]
	if len(episodes) != 1 || episodes[0]["text"] != "Once upon a time." || episodes[0]["kind"] != model.EpisodeMessage {
		t.Fatalf("episodes are %v", episodes)
	}
	if episodes[0]["model"] != (embed.Hashing{}).Model() || episodes[0]["vector"] == "" {
		t.Errorf("episode is %v", episodes[0])
	}
}

func TestEpisodesThatATextNoLongerHasAreDeleted(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	long := strings.Repeat("word ", model.EpisodeRunes)
	pieces := message(long, "end", "short")
	pieces[1].fragments[0] = bronze.Fragment{Part: "0", Type: bronze.FragmentText, Text: "short", Whole: true}
	deliver(t, g, 1, [][]capture{{pieces[0], pieces[2]}})
	flush(t, g)
	if n := len(store.tables[schema.Episodes]); n < 5 {
		t.Fatalf("%d episodes of a long text", n)
	}
	deliver(t, g, 2, [][]capture{{pieces[1]}})
	flush(t, g)
	if rows, err := store.byKey(schema.Episodes); err != nil || len(rows) != 1 {
		t.Errorf("%d episodes of a short text, %v", len(rows), err)
	}
}

// brokenEmbedder fails until it is mended.
type brokenEmbedder struct {
	embed.Hashing
	mended bool
}

func (e *brokenEmbedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if !e.mended {
		return nil, errors.New("unreachable")
	}
	return e.Hashing.Embed(ctx, texts)
}

func TestAnEmbedderThatFailsHoldsOnlyEpisodesUp(t *testing.T) {
	store, embedder := newMemory(), &brokenEmbedder{}
	opts := testOptions(store)
	opts.Embedder = embedder
	g := open(t, opts)
	defer g.Close()
	deliver(t, g, 1, [][]capture{message("Hello", "!")})
	if err := g.Flush(context.Background()); !errors.Is(err, ErrEmbed) {
		t.Errorf("error is %v, want ErrEmbed", err)
	}
	if len(store.tables[schema.Entities]) != 1 || len(store.tables[schema.CapabilityMetrics]) != 1 || len(store.tables[schema.UsageGraph]) == 0 {
		t.Error("other tables were not written")
	}
	embedder.mended = true
	flush(t, g)
	if len(store.tables[schema.Episodes]) != 1 {
		t.Error("episodes were not caught up with")
	}
}

func TestRowsOfWhatIsGoneAreDeleted(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	request, response := requestAndResponse("w", "1")
	response.Capability = "seen too late"
	deliver(t, g, 1, [][]capture{{response}})
	flush(t, g)
	deliver(t, g, 2, [][]capture{{request}})
	flush(t, g)
	if rows := store.tables[schema.CapabilityMetrics]; len(rows) != 1 || rows[0]["capability"] != "read" {
		t.Errorf("metrics are %v", rows)
	}
	for _, row := range store.tables[schema.UsageGraph] {
		if row["source"] == response.Capability || row["target"] == response.Capability {
			t.Errorf("the graph still has %v", row)
		}
	}
}

func TestLongTextsAreCutAtTheLimitByPosition(t *testing.T) {
	half := strings.Repeat("é", model.MaxText/4)
	for name, order := range map[string][]int{"in order": {0, 1, 2, 3}, "backwards": {3, 2, 1, 0}} {
		g := open(t, testOptions(newMemory()))
		pieces := message("start ", half, half, half)
		var shuffled []capture
		for _, i := range order {
			shuffled = append(shuffled, pieces[i])
		}
		deliver(t, g, 1, [][]capture{shuffled})
		e, err := g.Entity(pieces[0].Entity)
		if err != nil {
			t.Fatal(err)
		}
		kept, mark, cut := strings.Cut(e.Text, "\n[cut off here: ")
		if len(kept) > model.MaxText || len(kept) < model.MaxText-1 || !strings.HasPrefix(e.Text, "start ") || !utf8.ValidString(e.Text) {
			t.Errorf("%s: %d bytes that start %.10q", name, len(kept), e.Text)
		}
		if missing := len("start ") + 3*len(half) - len(kept); !cut || mark != fmt.Sprintf("%d bytes more]", missing) {
			t.Errorf("%s: %d bytes are missing, the text says %q", name, missing, mark)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAMessageWithToolCallsShowsThem(t *testing.T) {
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	pieces := message("", "", "")
	pieces[0].fragments = []bronze.Fragment{{Part: "1", Type: bronze.FragmentToolCall, ID: "c1", Name: "read", Text: `{"path"`}}
	pieces[1].fragments = []bronze.Fragment{{Part: "1", Type: bronze.FragmentToolCall, Text: `:"x"}`}}
	pieces[2].fragments = nil
	deliver(t, g, 1, [][]capture{pieces})
	e, err := g.Entity(pieces[0].Entity)
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"id":"c1","name":"read","arguments":"{\"path\":\"x\"}"}]`; e.Result != want {
		t.Errorf("result is %s, want %s", e.Result, want)
	}
}
