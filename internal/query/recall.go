package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"assay/sovereign/schema"
)

// Modes of Recall.
const (
	ModeHybrid = "hybrid" // vector and full-text, fused
	ModeVector = "vector" // nearest by cosine distance
	ModeText   = "text"   // BM25
)

// Limits of a recall.
const (
	DefaultHits  = 10
	maxHits      = 1_000
	maxQueryByte = 64 << 10
	// embedWait is how long a hybrid recall waits for the query's vector before it goes without.
	embedWait = 3 * time.Second
)

// Recall implements View. Hits come best first, of equal ones the older. While the embedder does not answer, a hybrid recall finds
// by words alone, and its hits have no VectorRank.
func (l *Local) Recall(ctx context.Context, request RecallRequest) ([]Hit, error) {
	if err := request.check(); err != nil {
		return nil, err
	}
	if err := l.passQuarantine(ctx, &request); err != nil {
		return nil, err
	}
	hits, err := l.choose(ctx, request)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(l.cite(ctx, hits), l.surround(ctx, hits, request.Context)); err != nil || !request.Origin {
		return hits, err
	}
	return hits, l.trace(ctx, hits)
}

// passQuarantine spares a search the condition that leaves out what was taken back, where nothing was.
func (l *Local) passQuarantine(ctx context.Context, request *RecallRequest) error {
	if request.IncludeQuarantined {
		return nil
	}
	some, err := l.States.Quarantines(ctx)
	if err != nil {
		return fmt.Errorf("view: is anything quarantined: %w", err)
	}
	request.IncludeQuarantined = !some
	return nil
}

// question asks for both lists at once, which the store fuses, or for one of them.
func (l *Local) question(ctx context.Context, request RecallRequest) (q schema.Query, err error) {
	q = schema.Query{Table: schema.Episodes, Columns: hitColumns, Where: request.filter(), Distinct: true}
	if request.Mode != ModeVector {
		q.Match = &schema.Match{Column: "text", Text: request.Query}
	}
	if request.Mode != ModeText {
		nearest, err := l.nearest(ctx, request)
		switch {
		case err == nil:
			q.Nearest = nearest
		case request.Mode == ModeVector, ctx.Err() != nil:
			return q, err
		} // else the embedder does not answer: see Recall
	}
	return q, nil
}

// find yields what q finds; what nobody asks for is not read. An error is the last.
func (l *Local) find(ctx context.Context, q schema.Query) iter.Seq2[Hit, error] {
	type row struct {
		Hit
		Distance float64 `col:"_distance"`
	}
	return func(yield func(Hit, error) bool) {
		r, err := l.Store.Query(ctx, q)
		if err != nil {
			yield(Hit{}, fmt.Errorf("view: read %s: %w", q.Table, err))
			return
		}
		defer r.Release()
		at := q.Offset
		for found, err := range schema.Rows[row](r) {
			if err != nil {
				yield(Hit{}, fmt.Errorf("view: read %s: %w", q.Table, err))
				return
			}
			found.place(at, q, found.Distance)
			if at++; !yield(found.Hit, nil) {
				return
			}
		}
	}
}

// place fills in why the hit at that place of an answer was found.
func (h *Hit) place(at int, q schema.Query, distance float64) {
	switch {
	case q.Nearest == nil:
		h.TextRank, h.Score = at+1, h.BM25
	case q.Match == nil:
		h.VectorRank, h.Similarity = at+1, 1-distance
		h.Score = h.Similarity
	default:
		if h.VectorRank > 0 {
			h.Similarity = 1 - distance
		}
		h.Score = reciprocal(h.VectorRank) + reciprocal(h.TextRank)
	}
}

// reciprocal is what a rank is worth in a fused list, 0 for none.
func reciprocal(rank int) float64 {
	if rank == 0 {
		return 0
	}
	return 1 / float64(schema.RankConstant+rank)
}

// nearest asks for what is nearest to a query, among what can be compared with it.
func (l *Local) nearest(ctx context.Context, request RecallRequest) (*schema.Nearest, error) {
	if request.Mode != ModeVector { // which has nothing to go without
		embedding, cancel := context.WithTimeout(ctx, embedWait)
		defer cancel()
		ctx = embedding
	}
	vector, err := l.embed(ctx, request.Query)
	if err != nil {
		return nil, err
	}
	sameModel, err := l.comparable(ctx)
	return &schema.Nearest{Column: "vector", Vector: vector, Where: sameModel, Exact: request.Exact}, err
}

func (l *Local) embed(ctx context.Context, text string) ([]float32, error) {
	if l.Embedder == nil {
		return nil, fmt.Errorf("%w: the stored vectors are not as long as those of the configured embedder; "+
			"run `assay run` with these settings once, or recall with mode text", ErrRequest)
	}
	vectors, err := l.Embedder.Embed(ctx, []string{text})
	if err != nil {
		return nil, fmt.Errorf("view: embed the query: %w", err)
	}
	return vectors[0], nil
}

func (r *RecallRequest) check() error {
	switch {
	case strings.TrimSpace(r.Query) == "":
		return fmt.Errorf("%w: query is empty", ErrRequest)
	case len(r.Query) > maxQueryByte:
		return fmt.Errorf("%w: query has %d bytes, %d are allowed", ErrRequest, len(r.Query), maxQueryByte)
	case r.Limit < 0 || r.Limit > maxHits:
		return fmt.Errorf("%w: limit must be 1 to %d", ErrRequest, maxHits)
	case r.BudgetTokens < 0 || r.Context < 0 || r.Context > maxContext:
		return fmt.Errorf("%w: budget_tokens must not be negative, context must be 0 to %d", ErrRequest, maxContext)
	case r.Mode != "" && r.Mode != ModeHybrid && r.Mode != ModeVector && r.Mode != ModeText:
		return fmt.Errorf("%w: mode %q is none of hybrid, vector, text", ErrRequest, r.Mode)
	}
	return nil
}

func (r *RecallRequest) filter() schema.Filter {
	var all []schema.Filter
	for column, value := range map[string]string{"workflow_id": r.Workflow, "agent_id": r.Agent, "kind": r.Kind} {
		if value != "" {
			all = append(all, schema.Eq(column, value))
		}
	}
	if !r.IncludeQuarantined {
		all = append(all, schema.IsNull("quarantined_by"))
	}
	if !r.After.IsZero() {
		all = append(all, schema.Ge("ts", r.After))
	}
	if !r.Before.IsZero() {
		all = append(all, schema.Lt("ts", r.Before))
	}
	return schema.And(all...)
}

// hitColumns are the columns of a hit; the vector is left out.
var hitColumns = []string{
	"episode_uuid", "entity_uuid", "workflow_id", "agent_id", "capability", "kind", "ts", "stream_id", "position", "chunk", "text",
	"quarantined_by",
}

// comparable selects the episodes whose vectors can be compared with the embedder's. Once there are no others, none will come,
// since all that writes vectors here has the same embedder; then the search is spared a condition that costs more than itself.
func (l *Local) comparable(ctx context.Context) (schema.Filter, error) {
	if l.oneModel.Load() {
		return schema.Filter{}, nil
	}
	others, err := l.Store.Count(ctx, schema.Episodes, schema.Ne("model", l.Embedder.Model()))
	if err != nil {
		return schema.Filter{}, fmt.Errorf("view: read %s: %w", schema.Episodes, err)
	}
	l.oneModel.Store(others == 0)
	return schema.Eq("model", l.Embedder.Model()), nil
}
