package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// However many headers an upstream sends, and however long they are, an exchange's record keeps a limited part, cut where a character
// ends.
func TestARecordOfAnExchangeIsSmall(t *testing.T) {
	header := http.Header{}
	for i := range 2 * rateLimitMax {
		header.Set("X-Ratelimit-"+strconv.Itoa(i), "a"+strings.Repeat("é", rateLimitBytes))
	}
	limits := rateLimit(header)
	if len(limits) != rateLimitMax {
		t.Errorf("%d headers are kept, the limit is %d", len(limits), rateLimitMax)
	}
	for name, value := range limits {
		if len(value) != rateLimitBytes-1 || !utf8.ValidString(value) { // the character at the limit does not fit
			t.Errorf("%s: %d bytes are kept, the limit is %d", name, len(value), rateLimitBytes)
		}
	}
}
