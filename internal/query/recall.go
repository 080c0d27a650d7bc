package query

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

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
	// rankConstant is the k of reciprocal rank fusion: how much a first place outweighs a tenth. 60 is the value of
	// Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
	// Methods", SIGIR 2009.
	rankConstant = 60
	// fusionDepth is how many hits of each list are fused for one that is returned, fusionMin how many at least.
	fusionDepth = 4
	fusionMin   = 40
	// embedWait is how long a hybrid recall waits for the query's vector before it goes without.
	embedWait = 3 * time.Second
)

// Recall implements View. Hits come best first; equal scores are ordered by id, so that an answer is repeatable. While the
// embedder does not answer, a hybrid recall finds by words alone, and its hits have no VectorRank.
func (l *Local) Recall(ctx context.Context, request RecallRequest) ([]Hit, error) {
	if err := request.check(); err != nil {
		return nil, err
	}
	if err := l.passQuarantine(&request); err != nil {
		return nil, err
	}
	limit := clamp(request.Limit, DefaultHits, maxHits)
	hits, err := l.find(ctx, request, limit)
	if err != nil || !request.Origin {
		return hits, err
	}
	return hits, l.trace(ctx, hits)
}

// passQuarantine spares a search the condition that leaves out what was taken back, where nothing was.
func (l *Local) passQuarantine(request *RecallRequest) error {
	if request.IncludeQuarantined {
		return nil
	}
	some, err := l.Quarantines()
	if err != nil {
		return fmt.Errorf("view: is anything quarantined: %w", err)
	}
	request.IncludeQuarantined = !some
	return nil
}

func (l *Local) find(ctx context.Context, request RecallRequest, limit int) ([]Hit, error) {
	switch request.Mode {
	case ModeVector:
		vector, err := l.embed(ctx, request.Query)
		if err != nil {
			return nil, err
		}
		return l.nearest(ctx, request, schema.Nearest{Vector: vector, Exact: request.Exact}, limit, hitColumns)
	case ModeText:
		return l.matching(ctx, request, limit, hitColumns)
	default:
		return l.hybrid(ctx, request, limit)
	}
}

// hybrid asks for both lists at once and fuses them. For that the ids in about the right order suffice; most of the time of a
// search goes into reading scattered rows, so what else there is to read is read only of what is left in the end.
func (l *Local) hybrid(ctx context.Context, request RecallRequest, limit int) ([]Hit, error) {
	depth := max(limit*fusionDepth, fusionMin)
	var near, match []Hit
	var vector []float32
	group, asking := errgroup.WithContext(ctx)
	group.Go(func() error {
		embedding, cancel := context.WithTimeout(asking, embedWait)
		defer cancel()
		embedded, err := l.embed(embedding, request.Query)
		if err != nil {
			return nil // see Recall
		}
		vector = embedded
		near, err = l.nearest(asking, request, schema.Nearest{Vector: vector, Exact: request.Exact, Coarse: true}, depth, hitKey)
		return err
	})
	group.Go(func() (err error) {
		match, err = l.matching(asking, request, depth, hitKey)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	fused := fuse(near, match)
	return l.fill(ctx, fused[:min(limit, len(fused))], vector)
}

// fill reads what else there is of hits, drops those that are gone meanwhile, and compares their vectors with that of the query,
// if it has one.
func (l *Local) fill(ctx context.Context, hits []Hit, vector []float32) ([]Hit, error) {
	type row struct {
		Hit
		Vector []float32 `col:"vector"`
	}
	ids := make([]string, len(hits))
	for i := range hits {
		ids[i] = hits[i].EpisodeUUID
	}
	rows, err := query[row](ctx, l.Store, schema.Query{
		Table: schema.Episodes, Columns: append([]string{"vector"}, hitColumns...), Where: schema.In("episode_uuid", ids...),
	})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*row, len(rows))
	for i := range rows {
		byID[rows[i].EpisodeUUID] = &rows[i]
	}
	filled := hits[:0]
	for _, hit := range hits {
		if found := byID[hit.EpisodeUUID]; found != nil {
			found.Score, found.VectorRank, found.TextRank, found.BM25 = hit.Score, hit.VectorRank, hit.TextRank, hit.BM25
			if hit.VectorRank > 0 {
				found.Similarity = cosine(vector, found.Vector)
			}
			filled = append(filled, found.Hit)
		}
	}
	return filled, nil
}

// cosine is that of the angle between two vectors, 0 where one has no direction.
func cosine(a, b []float32) float64 {
	var product, aa, bb float64
	for i := range min(len(a), len(b)) {
		x, y := float64(a[i]), float64(b[i])
		product, aa, bb = product+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return product / math.Sqrt(aa*bb)
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

// hitKey is all that it takes to fuse hits.
var hitKey = []string{"episode_uuid"}

func (l *Local) nearest(ctx context.Context, r RecallRequest, to schema.Nearest, limit int, columns []string) ([]Hit, error) {
	type row struct {
		Hit
		Distance float64 `col:"_distance"`
	}
	to.Column = "vector"
	embedded, err := l.comparable(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := query[row](ctx, l.Store, schema.Query{
		Table: schema.Episodes, Columns: columns, Limit: limit, Where: schema.And(r.filter(), embedded),
		Nearest: &to,
	})
	if err != nil {
		return nil, err
	}
	hits := make([]Hit, len(rows))
	for i := range rows {
		hits[i] = rows[i].Hit
		hits[i].Similarity = 1 - rows[i].Distance
		hits[i].Score = hits[i].Similarity
	}
	return numbered(hits, func(h *Hit) *int { return &h.VectorRank }), nil
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

func (l *Local) matching(ctx context.Context, r RecallRequest, limit int, columns []string) ([]Hit, error) {
	type row struct {
		Hit
		Score float64 `col:"_score"`
	}
	rows, err := query[row](ctx, l.Store, schema.Query{
		Table: schema.Episodes, Columns: columns, Limit: limit, Where: r.filter(),
		Match: &schema.Match{Column: "text", Text: r.Query},
	})
	if err != nil {
		return nil, err
	}
	hits := make([]Hit, len(rows))
	for i := range rows {
		hits[i] = rows[i].Hit
		hits[i].BM25 = rows[i].Score
		hits[i].Score = rows[i].Score
	}
	return numbered(hits, func(h *Hit) *int { return &h.TextRank }), nil
}

// numbered sorts hits and gives them their ranks in a list.
func numbered(hits []Hit, rank func(*Hit) *int) []Hit {
	ranked(hits)
	for i := range hits {
		*rank(&hits[i]) = i + 1
	}
	return hits
}

// fuse joins the two lists by reciprocal rank: a hit scores the sum of 1/(rankConstant+rank) over the lists it is in.
func fuse(near, match []Hit) []Hit {
	byID := map[string]Hit{}
	for _, hit := range near {
		hit.Score = reciprocal(hit.VectorRank)
		byID[hit.EpisodeUUID] = hit
	}
	for _, hit := range match {
		if found, ok := byID[hit.EpisodeUUID]; ok {
			hit.VectorRank = found.VectorRank
		}
		hit.Score = reciprocal(hit.VectorRank) + reciprocal(hit.TextRank)
		byID[hit.EpisodeUUID] = hit
	}
	return ranked(slices.Collect(maps.Values(byID)))
}

// reciprocal is what a rank is worth, 0 for none.
func reciprocal(rank int) float64 {
	if rank == 0 {
		return 0
	}
	return 1 / float64(rankConstant+rank)
}

func ranked(hits []Hit) []Hit {
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.EpisodeUUID, b.EpisodeUUID))
	})
	return hits
}
