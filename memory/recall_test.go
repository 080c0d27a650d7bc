package memory

import (
	"math"
	"testing"

	"assay/internal/embed"
	"assay/internal/query"
)

// What a fused hit says of itself is what each of the two lists says of it.
func TestFusedHitsTellWhyTheyWereFound(t *testing.T) {
	m := openWith(t, t.TempDir())
	observe(t, m, "wf", "the linker ran out of memory", "the tests passed", "memory of the linker was doubled")
	const question = "linker memory"
	fused := recall(t, m, query.ModeHybrid, question)
	if len(fused) != 2 { // the third has nothing in common with the question
		t.Fatalf("found %+v, want two", fused)
	}
	near, match := byID(recall(t, m, query.ModeVector, question)), byID(recall(t, m, query.ModeText, question))
	for _, hit := range fused {
		n, w := near[hit.EpisodeUUID], match[hit.EpisodeUUID]
		if hit.VectorRank != n.VectorRank || hit.TextRank != w.TextRank || hit.BM25 != w.BM25 || math.Abs(hit.Similarity-n.Similarity) > 1e-5 {
			t.Errorf("fused %+v\nnear %+v\nmatching %+v", hit, n, w)
		}
		if hit.Text == "" || hit.WorkflowID != "wf" || hit.Text != n.Text {
			t.Errorf("%+v is not all that there is of %+v", hit, n)
		}
	}
}

// What is no word is near to nothing.
func TestNonsenseFindsNothing(t *testing.T) {
	if _, err := embed.BuiltIn(); err != nil {
		t.Skip("built without a model: make model: ", err)
	}
	m := openWith(t, t.TempDir())
	observe(t, m, "wf", "the linker ran out of memory", "Toggles simulated, random-leveled logging on or off.", "What is the price of XYZ?",
		"{\"recipe\":{\"id\":\"spaghetti_carbonara\"}}")
	for _, question := range []string{"zxqv blorptang wimfle", "asdkjh qweoiu zmxncb", "florbish grunkel", "xyzzyplugh"} {
		if hits := recall(t, m, query.ModeHybrid, question); len(hits) > 0 {
			t.Errorf("%q finds %q at %.2f", question, hits[0].Text, hits[0].Similarity)
		}
	}
}

func byID(hits []Hit) map[string]Hit {
	found := map[string]Hit{}
	for _, hit := range hits {
		found[hit.EpisodeUUID] = hit
	}
	return found
}

// Each hit tells the event that it was made of and its frame, and on request what stands beside it.
func TestHitsTellWhereTheyComeFrom(t *testing.T) {
	m := openWith(t, t.TempDir())
	lines := `{"type":"observation","intent_id":"1","event_cid":"e1","payload":"first the parser was rewritten"}
{"type":"observation","intent_id":"2","event_cid":"e2","payload":"then the linker ran out of memory"}
{"type":"observation","intent_id":"3","event_cid":"e3","payload":"at last the tests passed"}
`
	if err := m.Record(t.Context(), Event, "wf", "", []byte(lines)); err != nil {
		t.Fatal(err)
	}
	if err := m.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	hits, err := m.Recall(t.Context(), Query{Query: "linker memory", Limit: 1, Context: 1})
	if err != nil || len(hits) != 1 {
		t.Fatalf("%+v, %v", hits, err)
	}
	h := hits[0]
	if h.EventUUID == "" || h.BronzeSeq != 1 || h.Position != 1 {
		t.Errorf("event %q at %d of frame %d", h.EventUUID, h.Position, h.BronzeSeq)
	}
	if len(h.Before) != 1 || h.Before[0].Text != "first the parser was rewritten" || len(h.After) != 1 || h.After[0].Text != "at last the tests passed" {
		t.Errorf("before %+v, after %+v", h.Before, h.After)
	}
}

// The built-in model finds what was said in other words; where the program was built without one, words are compared.
func TestTheBuiltInModelFindsParaphrases(t *testing.T) {
	if _, err := embed.BuiltIn(); err != nil {
		t.Skip("built without a model: make model: ", err)
	}
	m := openWith(t, t.TempDir())
	checkParaphrases(t, m, len(paraphrases))
}
