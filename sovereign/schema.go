package sovereign

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
)

// remedy is what to do about a table whose columns do not fit.
const remedy = "open the store with the version of Assay that wrote it, or move the table away and run `assay rebuild`"

// checkSchema compares the columns of a table with those wanted: same names, types and nullability, in the same order.
func checkSchema(found, wanted *arrow.Schema) error {
	for i, want := range wanted.Fields() {
		if i >= found.NumFields() {
			return fmt.Errorf("%w: column %s is missing; %s", ErrSchema, want.Name, remedy)
		}
		if err := checkField(found.Field(i), want); err != nil {
			return err
		}
	}
	if found.NumFields() > wanted.NumFields() {
		return fmt.Errorf("%w: column %s is not known; %s", ErrSchema, found.Field(wanted.NumFields()).Name, remedy)
	}
	return nil
}

func checkField(found, want arrow.Field) error {
	switch {
	case found.Name != want.Name:
		return fmt.Errorf("%w: column %s is in the place of %s; %s", ErrSchema, found.Name, want.Name, remedy)
	case !arrow.TypeEqual(found.Type, want.Type):
		return fmt.Errorf("%w: column %s has type %s, not %s; %s", ErrSchema, want.Name, found.Type, want.Type, remedy)
	case found.Nullable != want.Nullable:
		return fmt.Errorf("%w: column %s may be null: %t, not %t; %s",
			ErrSchema, want.Name, found.Nullable, want.Nullable, remedy)
	}
	return nil
}
