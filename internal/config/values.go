package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var durationType = reflect.TypeFor[time.Duration]()

// isSize reports whether a setting is a size in bytes, which may be given with a unit.
func isSize(key string) bool { return key == "memory" || strings.HasSuffix(key, "bytes") }

// parseValue reads the text of a setting that is one value. What cannot be read is an error that says what can.
func parseValue(key, text string, t reflect.Type) (value any, err error) {
	switch {
	case t == durationType:
		value, err = ParseDuration(text)
	case isSize(key) && (t.Kind() == reflect.Int || t.Kind() == reflect.Int64):
		value, err = ParseSize(text)
	case t.Kind() == reflect.Bool:
		if value, err = strconv.ParseBool(text); err != nil {
			err = fmt.Errorf("%q is neither true nor false", text)
		}
	case t.Kind() == reflect.Float64:
		if value, err = strconv.ParseFloat(text, 64); err != nil {
			err = fmt.Errorf("%q is no number", text)
		}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		if value, err = strconv.ParseInt(text, 10, 64); err != nil {
			err = fmt.Errorf("%q is no whole number", text)
		}
	case t.Kind() == reflect.Uint64:
		if value, err = strconv.ParseUint(text, 10, 64); err != nil {
			err = fmt.Errorf("%q is no whole number from 0 on", text)
		}
	default:
		return text, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, key, err)
	}
	return value, nil
}

// longUnits are those of a duration that time.ParseDuration does not know, in hours.
var longUnits = map[byte]float64{'d': 24, 'w': 7 * 24}

// ParseDuration reads a duration such as 25ms, 36h, 30d or 2w. A number without a unit is refused, but for 0: what it would
// mean is a guess.
func ParseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if n == 0 {
			return 0, nil
		}
		return 0, fmt.Errorf("%q has no unit: write %ss for seconds, or a duration such as 36h or 30d", text, text)
	}
	var long time.Duration
	rest := text
	for rest != "" { // days and weeks come first, as they are written
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' && r != '+' })
		if end < 0 || longUnits[rest[end]] == 0 {
			break
		}
		n, err := strconv.ParseFloat(rest[:end], 64)
		hours := n * longUnits[rest[end]]
		if err != nil || math.Abs(hours) > math.MaxInt64/float64(time.Hour) {
			return 0, noDuration(text)
		}
		long += time.Duration(hours * float64(time.Hour))
		rest = rest[end+1:]
	}
	if rest == "" && text != "" {
		return long, nil
	}
	short, err := time.ParseDuration(rest)
	if err != nil {
		return 0, noDuration(text)
	}
	return long + short, nil
}

func noDuration(text string) error {
	return fmt.Errorf("%q is no duration: write 25ms, 90s, 36h or 30d", text)
}

// sizeUnits are those of a size, in bytes.
var sizeUnits = map[string]float64{
	"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// ParseSize reads a number of bytes, such as 4096, 512MiB or 32GB.
func ParseSize(text string) (int64, error) {
	digits := strings.TrimSpace(text)
	end := strings.IndexFunc(digits, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' && r != '+' })
	unit := ""
	if end >= 0 {
		digits, unit = digits[:end], strings.ToLower(strings.TrimSpace(digits[end:]))
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil && unit == "" {
		return n, nil
	}
	factor, known := sizeUnits[unit]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || math.Abs(n*factor) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size: write a number of bytes, or one with a unit such as 512MiB or 32GB", text)
	}
	return int64(n * factor), nil
}
