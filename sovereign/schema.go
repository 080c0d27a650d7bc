package sovereign

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
)

// remedy is what to do about a table whose columns do not fit.
const remedy = "open the store with the version of Assay that wrote it, or move the table away and run `assay rebuild`"

// checkSchema compares the columns of rows with those of a table: same names, types and nullability. Their order is free,
// since LanceDB goes by names: a column that was added to a table is its last, wherever it is in tables.All.
func checkSchema(found, wanted *arrow.Schema) error {
	missing, err := compareSchema(found, wanted)
	if err == nil && len(missing) > 0 {
		err = missingError(missing[0])
	}
	return err
}

// compareSchema is checkSchema, but columns that may be null may be missing; it returns them.
func compareSchema(found, wanted *arrow.Schema) (missing []arrow.Field, err error) {
	for _, want := range wanted.Fields() {
		columns, _ := found.FieldsByName(want.Name)
		switch {
		case len(columns) > 0:
			err = checkField(columns[0], want)
		case want.Nullable:
			missing = append(missing, want)
		default:
			err = missingError(want)
		}
		if err != nil {
			return nil, err
		}
	}
	for i, column := range found.Fields() {
		if !wanted.HasField(column.Name) || found.FieldIndices(column.Name)[0] != i {
			return nil, fmt.Errorf("%w: column %s is not known; %s", ErrSchema, column.Name, remedy)
		}
	}
	return missing, nil
}

func checkField(found, want arrow.Field) error {
	switch {
	case !arrow.TypeEqual(found.Type, want.Type):
		return fmt.Errorf("%w: column %s has type %s, not %s; %s", ErrSchema, want.Name, found.Type, want.Type, remedy)
	case found.Nullable != want.Nullable:
		return fmt.Errorf("%w: column %s may be null: %t, not %t; %s",
			ErrSchema, want.Name, found.Nullable, want.Nullable, remedy)
	}
	return nil
}

func missingError(column arrow.Field) error {
	return fmt.Errorf("%w: column %s is missing; %s", ErrSchema, column.Name, remedy)
}
