package gold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

func everyWorkflow(*Workflow) bool { return true }

// listWorkflows reads all pages.
func listWorkflows(t tester, g *Gold, limit int) (all []*Workflow) {
	t.Helper()
	for cursor := ""; ; {
		page, next, err := g.Workflows(context.Background(), cursor, time.Time{}, limit, everyWorkflow)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page...); next == "" {
			return all
		}
		cursor = next
	}
}

// conversation reads all pages.
func conversation(t tester, g *Gold, asked Turns, workflow string) (all []*Entity) {
	t.Helper()
	for {
		page, next, err := g.Conversation(context.Background(), workflow, asked)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page...); next == "" {
			return all
		}
		asked.Cursor = next
	}
}

func TestSummariesAreThoseOfAllEntities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := open(t, testOptions(newMemory()))
		defer g.Close()
		deliver(t, g, 1, drawDelivery(t, drawCaptures(t))...)
		shares := map[string][]model.HistoryShare{}
		err := state.Scan(g.db, []byte{model.KeyOrdinal}, func(k, _ []byte) (bool, error) {
			e, err := state.LoadEntityState(g.db, model.LastID(k))
			if err == nil && e.Events > 0 {
				s := model.HistoryShareOf(model.LastID(k), e)
				shares[s.Workflow] = append(shares[s.Workflow], s)
			}
			return true, err
		})
		if err != nil {
			t.Fatal(err)
		}
		listed := listWorkflows(t, g, rapid.IntRange(1, 3).Draw(t, "page"))
		if len(listed) != len(shares) {
			t.Fatalf("%d workflows are listed of %d", len(listed), len(shares))
		}
		if !slices.IsSortedFunc(listed, func(a, b *Workflow) int { return b.LastAt.Compare(a.LastAt) }) {
			t.Fatal("not the last active first")
		}
		for _, w := range listed {
			checkWorkflow(t, g, w, shares[w.ID])
		}
	})
}

func checkWorkflow(t *rapid.T, g *Gold, w *Workflow, of []model.HistoryShare) {
	var sum model.HistoryCounts
	agents := map[string]bool{}
	for _, s := range of {
		sum.Add(+1, s.Counts)
		if s.Agent != "" {
			agents[s.Agent] = true
		}
	}
	slices.SortFunc(of, func(a, b model.HistoryShare) int { return a.Turn.Compare(b.Turn) })
	got := fmt.Sprint(w.Entities, w.Messages, w.Calls, w.Errors, w.OpenCalls, w.InputTokens, w.OutputTokens, len(w.Agents), w.FirstAt, w.LastAt)
	want := fmt.Sprint(sum.Entities, sum.Messages, sum.Calls, sum.Errors, sum.Open, sum.InputTokens, sum.OutputTokens, len(agents),
		model.TimeOf(of[0].Turn.At), model.TimeOf(of[len(of)-1].Turn.At))
	if got != want {
		t.Fatalf("%s: %s, its entities tell %s", w.ID, got, want)
	}
	var turns []uuid.UUID
	for _, s := range of {
		if s.Speaker != model.SpeakerNotifier {
			turns = append(turns, s.Turn.Entity)
		}
	}
	backward := rapid.Bool().Draw(t, "backward")
	if backward {
		slices.Reverse(turns)
	}
	var told []uuid.UUID
	for _, e := range conversation(t, g, Turns{Limit: rapid.IntRange(1, 4).Draw(t, "turns"), MaxBytes: 1 << 20, Backward: backward}, w.ID) {
		told = append(told, e.UUID)
	}
	if !slices.Equal(told, turns) {
		t.Fatalf("%s: the conversation is %v, its entities in order %v", w.ID, told, turns)
	}
}

// aWorkflow is a message that says one thing in a workflow of its own.
func aWorkflow(n int, text string) capture {
	name := fmt.Sprintf("w%03d", n)
	return newCapture(capture{Event: model.Event{
		Kind: bronze.KindTextDelta, Phase: bronze.PhaseDelta, Workflow: name, Stream: name, Agent: "a" + name, Capability: "gpt",
		Captured: epoch + int64(n)*1e6, InputTokens: -1, OutputTokens: -1,
	}, fragments: []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: text}}}, name)
}

func TestAListIsCutBySinceAndByWhatIsTaken(t *testing.T) {
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	var captures []capture
	for n := range 10 {
		captures = append(captures, aWorkflow(n, fmt.Sprintf("say\n\n%d", n)))
	}
	deliver(t, g, 1, [][]capture{captures})
	since := time.UnixMicro(epoch + 6e6)
	page, next, err := g.Workflows(context.Background(), "", since, 9, everyWorkflow)
	if err != nil || next != "" || len(page) != 4 || page[0].ID != "w009" || page[3].ID != "w006" {
		t.Errorf("since %s: %v, next %q, error %v", since, page, next, err)
	}
	page, next, err = g.Workflows(context.Background(), "", time.Time{}, 2, func(w *Workflow) bool { return w.Title == "say 3" })
	if err != nil || next != "" || len(page) != 1 || page[0].ID != "w003" || page[0].Models[0] != "gpt" {
		t.Errorf("taken %v, next %q, error %v", page, next, err)
	}
	if w, err := g.Workflow("none"); w != nil || err != nil {
		t.Errorf("unknown: %v, error %v", w, err)
	}
}

func TestATitleIsWhatWasToldOrWhatAUserSaidFirst(t *testing.T) {
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	system, question, answer := aWorkflow(1, "You are a helper."), aWorkflow(1, "Shall I take my umbrella?"), aWorkflow(1, "Yes.")
	system.Role, question.Role, answer.Role = bronze.RoleSystem, bronze.RoleUser, bronze.RoleAssistant
	var captures []capture
	for i, c := range []capture{system, question, answer} {
		c.Position, c.Captured = uint64(i), epoch+int64(i)
		captures = append(captures, newCapture(c, c.Role))
	}
	deliver(t, g, 1, [][]capture{captures})
	if w, err := g.Workflow("w001"); err != nil || w.Title != "Shall I take my umbrella?" {
		t.Errorf("the user said it first: %+v, error %v", w, err)
	}
	for i, title := range []string{"Umbrellas", "Weather"} {
		c := aWorkflow(1, "-")
		c.Position, c.Captured, c.Title = uint64(10+i), epoch+int64(10+i), title
		deliver(t, g, uint64(2+i), [][]capture{{newCapture(c, title)}})
		if w, err := g.Workflow("w001"); err != nil || w.Title != title {
			t.Errorf("told %s: %+v, error %v", title, w, err)
		}
	}
}

func TestAPageEndsWhereItsTextsAreMany(t *testing.T) {
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	captures := someCalls(0, 5)
	for i := range captures {
		captures[i].Text = "0123456789"
	}
	deliver(t, g, 1, [][]capture{captures})
	page, next, err := g.Conversation(context.Background(), "w", Turns{Limit: 10, MaxBytes: 25})
	if err != nil || next == "" || len(page) >= 5 || len(page) == 0 {
		t.Errorf("%d turns, next %q, error %v", len(page), next, err)
	}
	if all := conversation(t, g, Turns{Limit: 10, MaxBytes: 1}, "w"); len(all) != 5 || !slices.IsSortedFunc(all, func(a, b *Entity) int {
		return cmp.Compare(a.FirstPosition, b.FirstPosition)
	}) {
		t.Errorf("all pages have %v", all)
	}
}

func TestACursorOfSomethingElseIsRefused(t *testing.T) {
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	for _, cursor := range []string{"x", "%%", formatCursor([]byte{model.KeyTotals, 1}), formatCursor(make([]byte, 99))} {
		if _, _, err := g.Workflows(context.Background(), cursor, time.Time{}, 1, everyWorkflow); !errors.Is(err, ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
		if _, _, err := g.Conversation(context.Background(), "w", Turns{Cursor: cursor, Limit: 1}); !errors.Is(err, ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}
