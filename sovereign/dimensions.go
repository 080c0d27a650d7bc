package sovereign

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"assay/sovereign/schema"
)

// Dimensions returns the length of the vectors that the table of episodes holds; of a store that is not open yet, that which it is
// to have.
func (s *Store) Dimensions() int {
	if !s.opened.Load() {
		return s.opts.VectorDimensions
	}
	return dimensionsOf(s.tables[schema.Episodes].Schema)
}

// Reshape lays the table of episodes anew for vectors of another length. It is empty afterwards: all its rows are derived,
// and whoever wrote them writes them again. No other method may be called meanwhile.
func (s *Store) Reshape(ctx context.Context, dimensions int) error {
	err := s.await(ctx, func() error { return s.reshape(ctx, dimensions) })
	if err != nil {
		return fmt.Errorf("lay episodes anew for vectors of %d numbers: %w", dimensions, err)
	}
	return nil
}

func (s *Store) reshape(ctx context.Context, dimensions int) error {
	old := s.tables[schema.Episodes]
	epochs, err := old.native.currentEpochs()
	if err != nil {
		return err
	}
	old.native.close()
	err = errors.Join(old.lance.Close(), s.connection.DropTable(ctx, schema.Episodes))
	delete(s.tables, schema.Episodes)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIO, err)
	}
	s.opts.VectorDimensions = dimensions
	if err := s.add(ctx, *schema.ByName(schema.Episodes), false); err != nil || len(epochs) == 0 {
		return err
	}
	return s.tables[schema.Episodes].native.claim(epochs.json())
}

// dimensionsOf returns the length of the vectors in a table of episodes, 0 if it has none.
func dimensionsOf(schema *arrow.Schema) int {
	if schema == nil {
		return 0
	}
	for _, i := range schema.FieldIndices(vectorColumn) {
		if list, ok := schema.Field(i).Type.(*arrow.FixedSizeListType); ok {
			return int(list.Len())
		}
	}
	return 0
}
