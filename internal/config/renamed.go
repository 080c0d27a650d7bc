package config

import (
	"fmt"
	"strconv"
	"strings"
)

// rename is a setting's new name, and what its old values are there.
type rename struct {
	to    string
	value func(old string) (string, error)
}

// renamed are settings that had another name in the version before. They go on working for this one.
var renamed = map[string]rename{
	"log.ring": {"log.discard", func(old string) (string, error) {
		ring, err := strconv.ParseBool(old)
		if err != nil {
			return "", fmt.Errorf("%q is neither true nor false", old)
		}
		if ring {
			return DiscardOld, nil
		}
		return DiscardNew, nil
	}},
	"silver.partitions": {"log.partitions", func(old string) (string, error) { return old, nil }},
}

func (r rename) section() string { return r.to[:max(0, strings.LastIndexByte(r.to, '.'))] }
func (r rename) name() string    { return r.to[strings.LastIndexByte(r.to, '.')+1:] }

func (r rename) note(old, value string) string {
	return fmt.Sprintf("%s has the new name %s, and the old one goes with the next version: write %s: %s", old, r.to, r.to, value)
}

// Renamed lists settings under their old names, for the command line.
func Renamed() (settings []Setting) {
	for _, old := range sorted(renamed) {
		settings = append(settings, Setting{Key: old, Flag: flagOf(old)})
	}
	return settings
}

// flagOf is the flag that a setting has if no other is said.
func flagOf(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }
