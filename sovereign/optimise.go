package sovereign

import "context"

// Optimise does one bounded round of upkeep on a table: it merges small fragments into larger ones, brings the indexes up
// to date and forgets old versions. Reads and writes go on meanwhile.
func (s *Store) Optimise(ctx context.Context, table string) error {
	return s.on(ctx, "optimise", table, func(t *openTable) error {
		return t.native.optimise(s.opts.FragmentRows, s.opts.OptimiseRowsMax, s.opts.VersionAgeMax)
	})
}
