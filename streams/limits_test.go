package streams

import (
	"errors"
	"strings"
	"testing"
)

// What a frame's headers tell is stored as long as the limits say, and refused when it is longer: headers take room in memory and in the log.
func TestHeadersOfAFrameHaveLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limit int
		set   func(f *Frame, value string)
	}{
		"stream":   {StreamBytesMax, func(f *Frame, v string) { f.Stream = v }},
		"exchange": {ExchangeBytesMax, func(f *Frame, v string) { f.Exchange = v }},
		"mapping":  {MapBytesMax, func(f *Frame, v string) { f.Map = v }},
		"workflow": {SubjectBytesMax - len("bronze.event."), func(f *Frame, v string) { f.Workflow = v }},
	} {
		for n, want := range map[int]error{c.limit: nil, c.limit + 1: ErrFrame} {
			f := &Frame{Source: SourceEvent, ContentType: ContentJSON, Workflow: "w", Stream: "s", Count: 1}
			c.set(f, strings.Repeat("x", n))
			if err := f.validate(); !errors.Is(err, want) {
				t.Errorf("%s of %d bytes: error %v, want %v", name, n, err, want)
			}
		}
	}
}
