package kernels

import (
	"crypto/sha1"
	"encoding/hex"
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestValue(t *testing.T) {
	for key, want := range map[string]uint32{
		"0:uh": 0xeeb0bf9c, "1:um": 0xbd277843, "2:er": 0x01d51f00, "7:héllo": 0xfa7c213d,
	} {
		if got := Value([]byte(key)); got != want {
			t.Errorf("Value(%q) = %#08x, want %#08x", key, got, want)
		}
	}
}

func TestSheds(t *testing.T) {
	for _, c := range []struct {
		value     uint32
		threshold float64
		want      bool
	}{
		{0, 0, false}, {0, math.SmallestNonzeroFloat64, true}, {1 << 31, 0.5, false}, {1<<31 - 1, 0.5, true},
		{math.MaxUint32, 1, false}, {math.MaxUint32 - 1, 1, true}, {math.MaxUint32, 1.1, true},
		{0, math.NaN(), false}, {0, -1, false},
	} {
		if got := Sheds(c.value, c.threshold); got != c.want {
			t.Errorf("Sheds(%#x, %v) = %v", c.value, c.threshold, got)
		}
	}
}

// About the share of events is shed that the threshold says.
func TestLoadGateShedsItsShare(t *testing.T) {
	const events = 100_000
	for _, threshold := range []float64{0.1, 0.5, 0.9} {
		shed := 0
		for position := range uint64(events) {
			if LoadSheds("session", position, "token", threshold) {
				shed++
			}
		}
		if share := float64(shed) / events; math.Abs(share-threshold) > 0.01 {
			t.Errorf("threshold %v sheds %v", threshold, share)
		}
	}
}

func TestDecimal(t *testing.T) {
	check := func(n uint64) {
		if got, want := string(appendDecimal([]byte("x"), n)), "x"+strconv.FormatUint(n, 10); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for n := range uint64(20_000) {
		check(n)
	}
	for n := uint64(1); n < math.MaxUint64/10; n *= 10 {
		for _, near := range []uint64{n - 1, n, n + 1, 9 * n} {
			check(near)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(rapid.Uint64().Draw(t, "n")) })
}

func FuzzValue(f *testing.F) {
	f.Add("0:uh")
	f.Fuzz(func(t *testing.T, key string) {
		digest := sha1.Sum([]byte(key))
		want, err := strconv.ParseUint(hex.EncodeToString(digest[:])[:8], 16, 32)
		if got := Value([]byte(key)); err != nil || got != uint32(want) {
			t.Errorf("Value(%q) = %#x, want %#x", key, got, want)
		}
	})
}
