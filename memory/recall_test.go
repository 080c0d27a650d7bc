package memory

import (
	"math"
	"testing"

	"assay/internal/query"
)

// What a fused hit says of itself is what each of the two lists says of it.
func TestFusedHitsTellWhyTheyWereFound(t *testing.T) {
	m := openWith(t, t.TempDir())
	observe(t, m, "wf", "the linker ran out of memory", "the tests passed", "memory of the linker was doubled")
	const question = "linker memory"
	fused := recall(t, m, query.ModeHybrid, question)
	if len(fused) != 3 {
		t.Fatalf("found %+v, want all three", fused)
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

func byID(hits []Hit) map[string]Hit {
	found := map[string]Hit{}
	for _, hit := range hits {
		found[hit.EpisodeUUID] = hit
	}
	return found
}
