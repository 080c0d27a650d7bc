package config

import (
	"strings"
)

// nearest returns the key that a mistyped one comes nearest to: one that a few letters tell from it, or that has the same name
// in another section. It returns "" if none is near.
func nearest(mistyped string, keys []string) (best string) {
	most := 2 + len(mistyped)/5 // one letter in a short name, more in a longer one
	for _, key := range keys {
		if d := distance(mistyped, key); d < most {
			best, most = key, d
		}
	}
	if best != "" {
		return best
	}
	name := mistyped[strings.LastIndexByte(mistyped, '.')+1:]
	for _, key := range keys {
		if strings.HasSuffix(key, "."+name) {
			return key
		}
	}
	return ""
}

// distance is how many letters must be put in, taken out, changed or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
