package budget

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestLimit(t *testing.T) {
	for _, c := range []struct {
		limit uint64
		err   error
		want  int64
	}{
		{err: errors.New("no control group"), want: math.MaxInt64},
		{limit: math.MaxUint64, want: math.MaxInt64}, // as version 1 of control groups says that there is no limit
		{limit: Tight, want: Tight},
	} {
		if got := limit(c.limit, c.err); got != c.want {
			t.Errorf("a limit of %d, %v: granted %d; want %d", c.limit, c.err, got, c.want)
		}
	}
}

func TestSharesGrowWithWhatIsGranted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		less := rapid.Int64Range(1, 2*Ample).Draw(t, "less")
		more := rapid.Int64Range(less, math.MaxInt64).Draw(t, "more")
		a, b := reflect.ValueOf(of(less)), reflect.ValueOf(of(more))
		for i := range a.NumField() {
			if name := a.Type().Field(i).Name; a.Field(i).Int() < 1 || a.Field(i).Int() > b.Field(i).Int() {
				t.Errorf("%s is %d of %d bytes and %d of %d", name, a.Field(i).Int(), less, b.Field(i).Int(), more)
			}
		}
	})
}

// What is held outside Go's heap at the same time, and the heap, leave room for the rest: upkeep, stacks, and the pages of
// the program's file that it works with.
func TestTheLeastSharesFitIntoLittleMemory(t *testing.T) {
	const rest = 112 << 20
	if s := of(Tight); s.Heap+s.State+s.Indexes+s.Footers > Tight-rest {
		t.Errorf("%+v leave less than %d bytes of %d", s, rest, Tight)
	}
	most := of(math.MaxInt64)
	if most.Indexes != indexesMost {
		t.Errorf("of boundless memory %d bytes go to indexes, want %d", most.Indexes, indexesMost)
	}
	most.Indexes = of(Ample).Indexes
	roomy := of(Roomy)
	roomy.Indexes = most.Indexes
	if of(1) != of(Tight) || most != roomy || of(Tight) == of(Ample) || of(Ample) == of(Roomy) {
		t.Error("the scale does not end at Tight and Roomy")
	}
}
