// Package spill is disk space for what does not fit into memory and is needed only for a while, in order of its keys.
package spill

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Open opens the space in a directory of its own, and makes it if it is not there.
func Open(dir string) (*pebble.DB, error) {
	return pebble.Open(dir, &pebble.Options{Logger: quiet{}})
}

// quiet keeps the space's chatter from the operator.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called where the space cannot go on; it must not return.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf("spill: "+format, args...)) }
