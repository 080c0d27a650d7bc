package sovereign

import (
	"context"
	"crypto/sha256"
	"fmt"

	"assay/sovereign/schema"
)

// The columns that queries are ranked by.
const (
	vectorColumn = "vector"
	textColumn   = "text"
)

// How a query uses the index of vectors; docs/recall.md has the measurements.
const (
	// refineFactor is how many candidates for each row asked for are compared by their real vectors: the index holds only
	// approximations. Recall asks for four times as many rows as it shows, and each vector is a read of its own.
	refineFactor = 1
	// searchEffort is how much of the index is searched, between Lance's own choice at 0.5 and all at 1. Reading the codes of
	// a partition takes little time beside the rest of a search.
	searchEffort = 0.95
	// fewRows is how many rows a filter may select for their vectors to be compared one by one: what it selects may lie anywhere
	// in the index, and those of a workflow, say, lie side by side in the table.
	fewRows = 1000
)

// EnsureVectorIndex builds the index of the vectors of episodes once there are Options.VectorIndexRows of them. What an index
// learnt from the vectors of one model does not serve those of another, so it carries the model in its name and one of
// another model is replaced, as soon as no vectors of other models are left. Reads and writes go on meanwhile.
func (s *Store) EnsureVectorIndex(ctx context.Context, model string) error {
	return s.on(ctx, "index the vectors of", schema.Episodes, func(t *openTable) error {
		s.indexing.Lock()
		defer s.indexing.Unlock()
		return t.ensureVectorIndex(model, s.opts.VectorIndexRows)
	})
}

func (t *openTable) ensureVectorIndex(model string, rowsMin int64) error {
	name := vectorIndexName(model)
	indexes, err := t.native.indexes()
	if err != nil {
		return err
	}
	var names []string
	for _, index := range indexes {
		if len(index.Columns) == 1 && index.Columns[0] == vectorColumn {
			names = append(names, index.Name)
		}
	}
	if len(names) == 1 && names[0] == name {
		return nil
	}
	all, err := t.native.count("")
	if err != nil || all < rowsMin && len(names) == 0 {
		return err
	}
	embedded := schema.Not(schema.IsNull(vectorColumn))
	others, err := t.native.count(schema.And(embedded, schema.Ne("model", model)).SQL())
	if err != nil || others > 0 {
		return err
	}
	rows, err := t.native.count(embedded.SQL())
	if err != nil || rows < rowsMin && len(names) == 0 {
		return err
	}
	return t.native.createVectorIndex(vectorColumn, name)
}

// vectorIndexName is different for every model.
func vectorIndexName(model string) string {
	hash := sha256.Sum256([]byte(model))
	return fmt.Sprintf("vector_of_%x", hash[:6])
}
