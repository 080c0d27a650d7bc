package replay_test

import (
	"reflect"
	"testing"
	"time"

	"assay/internal/query/replay"
)

// A server replays what its client has selected.
func TestSelectionsSurviveAURL(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, want := range []replay.Selection{
		{},
		{Subjects: []string{"bronze.sse.a b", "bronze.*.&"}, Stream: "ž/1", FromSeq: 3, ToSeq: 1 << 63, Speed: 2.5},
		{From: at, To: at.Add(time.Nanosecond)},
	} {
		got, err := replay.ParseQuery(want.Query())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
	}
	for _, query := range []map[string][]string{{"from_seq": {"-1"}}, {"to": {"yesterday"}}, {"speed": {"-1"}}, {"speed": {"NaN"}}} {
		if s, err := replay.ParseQuery(query); err == nil {
			t.Errorf("%v is %+v", query, s)
		}
	}
}
