package bronze

import (
	"math"
	"strings"
	"time"

	"github.com/valyala/fastjson"
)

// eventTime reads the time that an event carries, in UTC and to the microsecond. It is zero where there is none, or none
// between the years 1 and 9999.
//
//   - A number counts from 1970: seconds, with a fraction, below 1e11 (the year 5138), else milliseconds below 1e14,
//     microseconds below 1e17, and nanoseconds.
//   - A string is RFC 3339, with a space instead of the T and without a zone (UTC then) too.
func eventTime(v *fastjson.Value) time.Time {
	switch {
	case is(v, fastjson.TypeNumber):
		return numberTime(v.GetFloat64())
	case is(v, fastjson.TypeString):
		return stringTime(string(v.GetStringBytes()))
	}
	return time.Time{}
}

func numberTime(n float64) time.Time {
	microseconds := n * 1e6
	switch size := math.Abs(n); {
	case size >= 1e17:
		microseconds = n / 1e3
	case size >= 1e14:
		microseconds = n
	case size >= 1e11:
		microseconds = n * 1e3
	}
	if math.IsNaN(microseconds) || math.Abs(microseconds) > 1e18 {
		return time.Time{}
	}
	return within(time.UnixMicro(int64(math.Round(microseconds))))
}

func stringTime(s string) time.Time {
	s = strings.Replace(s, " ", "T", 1)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return within(t)
		}
	}
	return time.Time{}
}

func within(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
