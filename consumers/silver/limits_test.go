package silver

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"assay/consumers/bronze"
)

// A letter fits into one fetch with its headers, whatever was captured and whatever is wrong with it.
func TestADeadLetterHasALimit(t *testing.T) {
	long := strings.Repeat("line\r\n", reasonBytesMax)
	for _, n := range []int{letterBytesMax, letterBytesMax + 1} {
		raw := bytes.Repeat([]byte{'x'}, n)
		for name, letter := range map[string]*nats.Msg{
			"event": DeadLetter(&bronze.Event{Source: "event", Raw: raw, Reason: long}),
			"batch": BatchLetter(long, 1, raw),
		} {
			if len(letter.Data) != letterBytesMax {
				t.Errorf("%s of %d bytes: the letter has %d, the limit is %d", name, n, len(letter.Data), letterBytesMax)
			}
			if reason := letter.Header.Get(HeaderReason); len(reason) > reasonBytesMax || strings.ContainsAny(reason, "\r\n") {
				t.Errorf("%s: the reason has %d bytes, the limit is %d: %q", name, len(reason), reasonBytesMax, reason)
			}
		}
	}
}
