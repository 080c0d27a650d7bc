package capture

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"assay/streams"
)

// Ids that a request names become part of every frame's headers: as long as the limit they are taken, longer ones are refused by name.
func TestIDsOfARequestHaveALimit(t *testing.T) {
	for name, limit := range map[string]int{
		streams.HeaderStream: idBytesMax, streams.HeaderMap: streams.MapBytesMax, streams.HeaderExchange: streams.ExchangeBytesMax,
	} {
		for _, longer := range []bool{false, true} {
			value := strings.Repeat("é", limit/2) // two bytes each, so that bytes count, not characters
			if longer {
				value += "e"
			}
			err := readHeaders(http.Header{name: {value}}, &Options{})
			if longer != errors.Is(err, ErrRequest) || longer && !strings.Contains(err.Error(), name) {
				t.Errorf("%s of %d bytes: %v", name, len(value), err)
			}
		}
	}
}
