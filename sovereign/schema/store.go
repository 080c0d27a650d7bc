package schema

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Reader reads tables. It may be used by several goroutines at once.
type Reader interface {
	// Query returns rows. The caller releases the reader.
	Query(ctx context.Context, q Query) (array.RecordReader, error)
	// Count returns how many rows a condition holds for.
	Count(ctx context.Context, table string, where Filter) (int64, error)
}

// Writer changes tables. It may be used by several goroutines at once.
type Writer interface {
	// Append adds rows without looking for their keys, which the table must not have.
	Append(ctx context.Context, table string, rows arrow.Record) error
	// Merge adds rows, or replaces those with the same key.
	Merge(ctx context.Context, table string, rows arrow.Record) error
	// Delete removes the rows for which a condition holds.
	Delete(ctx context.Context, table string, where Filter) error
}

// Store holds tables. The program has one: sovereign.Store, in LanceDB.
type Store interface {
	Reader
	Writer
}

// Identity tells a store, and the log that it belongs to, from any other. Both are ids without dots.
type Identity struct{ Store, Log string }

// Embedder turns texts into the vectors of episodes. Package embed has them: by a static model, by hashing, or behind an endpoint.
type Embedder interface {
	// Embed returns a vector of Dimensions numbers for each text. One that would take long may return nil vectors at once, and
	// fill them in later.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	// Model names the model: only vectors of one model are compared.
	Model() string
	Dimensions() int
}
