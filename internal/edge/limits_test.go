package edge

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

// A body that is larger than the largest batch, or that does not say how large it is, is refused before anything is read of it.
func TestABodyHasALimit(t *testing.T) {
	for _, length := range []int64{-1, bodyBytesMax + 1} {
		body := strings.NewReader("frames")
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/forward/edge", body)
		request.ContentLength = length
		if _, err := (&Handler{}).take(httptest.NewRecorder(), request, nil); !errors.Is(err, ErrBody) {
			t.Errorf("a body of length %d: error %v, want %v", length, err, ErrBody)
		}
		if read := int(body.Size()) - body.Len(); read > 0 {
			t.Errorf("a body of length %d: %d bytes were read", length, read)
		}
	}
}
