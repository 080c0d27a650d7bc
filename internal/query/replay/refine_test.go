package replay

import (
	"fmt"
	"testing"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/streams/streamstest"
)

// Whoever reads a log that drops frames meanwhile learns which was the first that he did not get.
func TestRefineTellsWhatIsAbsent(t *testing.T) {
	log := streamstest.NewLog(t)
	for i := range 10 {
		publish(t, log, frame("s", uint64(i), 1, fmt.Sprintf("data: %d\n\n", i)))
	}
	by := silver.DefaultOptions()
	by.Decoder = bronze.NewDecoder()
	by.Keys, by.MaxRows = &bronze.Keys{}, 3
	expect := func(from uint64, want ...uint64) {
		t.Helper()
		var absent []uint64
		for rows, err := range Refine(t.Context(), log.Bronze(), &by, Range{from, 10}, nil) {
			if err != nil {
				t.Fatal(err)
			}
			if rows.Absent > 0 {
				absent = append(absent, rows.Absent)
			}
		}
		if fmt.Sprint(absent) != fmt.Sprint(want) {
			t.Errorf("from %d on: %v absent, want %v", from, absent, want)
		}
	}
	expect(1)
	for _, seq := range []uint64{1, 2, 6, 10} {
		if err := log.Bronze().DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	expect(1, 1, 6, 10)
	expect(3, 6, 10)
	expect(7, 10)
}
