package view

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"assay/internal/tables"
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
	// rankConstant is the k of reciprocal rank fusion: how much a first place outweighs a tenth. 60 is the value of
	// Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
	// Methods", SIGIR 2009.
	rankConstant = 60
	// fusionDepth is how many hits of each list are fused for one that is returned.
	fusionDepth = 4
)

// Recall implements View. Hits come best first; equal scores are ordered by id, so that an answer is repeatable.
func (l *Local) Recall(ctx context.Context, request RecallRequest) ([]Hit, error) {
	if err := request.check(); err != nil {
		return nil, err
	}
	limit := clamp(request.Limit, DefaultHits, maxHits)
	switch request.Mode {
	case ModeVector:
		return l.nearest(ctx, request, limit)
	case ModeText:
		return l.matching(ctx, request, limit)
	}
	near, err := l.nearest(ctx, request, limit*fusionDepth)
	if err != nil {
		return nil, err
	}
	match, err := l.matching(ctx, request, limit*fusionDepth)
	if err != nil {
		return nil, err
	}
	fused := fuse(near, match)
	return fused[:min(limit, len(fused))], nil
}

func (r *RecallRequest) check() error {
	switch {
	case strings.TrimSpace(r.Query) == "":
		return fmt.Errorf("%w: query is empty", ErrRequest)
	case len(r.Query) > maxQueryByte:
		return fmt.Errorf("%w: query has %d bytes, %d are allowed", ErrRequest, len(r.Query), maxQueryByte)
	case r.Mode != "" && r.Mode != ModeHybrid && r.Mode != ModeVector && r.Mode != ModeText:
		return fmt.Errorf("%w: mode %q is none of hybrid, vector, text", ErrRequest, r.Mode)
	}
	return nil
}

func (r *RecallRequest) filter() tables.Filter {
	var all []tables.Filter
	for column, value := range map[string]string{"workflow_id": r.Workflow, "agent_id": r.Agent, "kind": r.Kind} {
		if value != "" {
			all = append(all, tables.Eq(column, value))
		}
	}
	if !r.After.IsZero() {
		all = append(all, tables.Ge("ts", r.After))
	}
	if !r.Before.IsZero() {
		all = append(all, tables.Lt("ts", r.Before))
	}
	return tables.And(all...)
}

// hitColumns are the columns of a hit; the vector is left out.
var hitColumns = []string{
	"episode_uuid", "entity_uuid", "workflow_id", "agent_id", "capability", "kind", "ts", "stream_id", "position", "text",
}

func (l *Local) nearest(ctx context.Context, r RecallRequest, limit int) ([]Hit, error) {
	vectors, err := l.Embedder.Embed(ctx, []string{r.Query})
	if err != nil {
		return nil, fmt.Errorf("view: embed the query: %w", err)
	}
	type row struct {
		Hit
		Distance float64 `col:"_distance"`
	}
	rows, err := query[row](ctx, l.Store, tables.Query{
		Table: tables.Episodes, Columns: hitColumns, Limit: limit,
		Where:   tables.And(r.filter(), tables.Eq("model", l.Embedder.Model())),
		Nearest: &tables.Nearest{Column: "vector", Vector: vectors[0]},
	})
	if err != nil {
		return nil, err
	}
	hits := make([]Hit, len(rows))
	for i := range rows {
		hits[i] = rows[i].Hit
		hits[i].Score = 1 - rows[i].Distance
	}
	return ranked(hits), nil
}

func (l *Local) matching(ctx context.Context, r RecallRequest, limit int) ([]Hit, error) {
	type row struct {
		Hit
		Score float64 `col:"_score"`
	}
	rows, err := query[row](ctx, l.Store, tables.Query{
		Table: tables.Episodes, Columns: hitColumns, Limit: limit, Where: r.filter(),
		Match: &tables.Match{Column: "text", Text: r.Query},
	})
	if err != nil {
		return nil, err
	}
	hits := make([]Hit, len(rows))
	for i := range rows {
		hits[i] = rows[i].Hit
		hits[i].Score = rows[i].Score
	}
	return ranked(hits), nil
}

// fuse joins ranked lists by reciprocal rank: a hit scores the sum of 1/(rankConstant+rank) over the lists it is in.
func fuse(lists ...[]Hit) []Hit {
	byID := map[string]Hit{}
	for _, list := range lists {
		for rank, hit := range list {
			fused, ok := byID[hit.EpisodeUUID]
			if !ok {
				fused = hit
				fused.Score = 0
			}
			fused.Score += 1 / float64(rankConstant+rank+1)
			byID[hit.EpisodeUUID] = fused
		}
	}
	return ranked(slices.Collect(maps.Values(byID)))
}

func ranked(hits []Hit) []Hit {
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.EpisodeUUID, b.EpisodeUUID))
	})
	return hits
}
