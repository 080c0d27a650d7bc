package streams

import "testing"

func TestFetchSizeFollowsTheSizeOfMessages(t *testing.T) {
	size := FetchSize{Bytes: 1000, Max: 50}
	for i, step := range []struct{ messages, bytes, want int }{
		{0, 0, 1}, // nothing is known yet
		{1, 100, 10},
		{10, 1000, 10},
		{0, 0, 10}, // a fetch that brings nothing tells nothing
		{10, 10, 50},
		{50, 0, 50}, // empty ones
		{3, 9000, 1},
	} {
		size.Got(step.messages, step.bytes)
		if got := size.Messages(); got != step.want {
			t.Errorf("step %d: asks for %d messages, want %d", i, got, step.want)
		}
	}
}
