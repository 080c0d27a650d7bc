package deadletter

import (
	"errors"
	"fmt"
)

// ErrLedger means that the disk space for what is compared could not be used; test it with errors.Is.
var ErrLedger = errors.New("letters: scratch space failed")

func ledgerError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrLedger, err)
}
