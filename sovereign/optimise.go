package sovereign

import (
	"context"
	"time"
)

// Optimise does one bounded round of upkeep on a table: it merges small fragments into larger ones, brings the indexes up
// to date and forgets old versions. Reads and writes go on meanwhile.
func (s *Store) Optimise(ctx context.Context, table string) error {
	return s.optimise(ctx, table, s.opts.VersionAgeMax)
}

// Prune is Optimise, but it forgets all old versions at once, and what is kept of them on the local disk. A query of another program that
// reads one of them fails.
func (s *Store) Prune(ctx context.Context, table string) error {
	defer s.ClearCache()
	return s.optimise(ctx, table, 0)
}

func (s *Store) optimise(ctx context.Context, table string, versionAgeMax time.Duration) error {
	return s.on(ctx, "optimise", table, func(t *openTable) error {
		return t.native.optimise(s.opts.FragmentRows, s.opts.OptimiseRowsMax, versionAgeMax)
	})
}
