package formats_test

import (
	"errors"
	"strings"
	"testing"

	"assay/internal/capture/formats"
)

// A text with as many values as the limit says is parsed, one with more is not, and what stands in texts is none.
func TestAsManyValuesAsFit(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		err  error
	}{
		"as many as fit": {"[" + strings.Repeat("0,", formats.ValuesMax-2) + "0]", nil},
		"one more":       {"[" + strings.Repeat("0,", formats.ValuesMax-1) + "0]", formats.ErrTooManyValues},
		"texts":          {`{"a":"` + strings.Repeat(`,[\",`, formats.ValuesMax) + `"}`, nil},
	} {
		if _, err := formats.Parse([]byte(test.text)); !errors.Is(err, test.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
