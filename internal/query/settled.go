package query

import "context"

// SettledView tells how far answers reach.
type SettledView interface {
	// Settled tells which frames of the log an answer takes into account.
	Settled(ctx context.Context) (Settled, error)
}

// Settled tells how far what can be asked reaches, so that "nothing" is not taken for "not yet".
type Settled struct {
	SettledThrough uint64 `json:"settled_through"` // frame of the log up to which everything is folded; its episodes are found within 2 s
	Pending        uint64 `json:"pending"`         // frames after it
}

// Settled implements View.
func (l *Local) Settled(ctx context.Context) (Settled, error) { return l.Operations.Settled(ctx) }

// Settled implements View.
func (r *Remote) Settled(ctx context.Context) (s Settled, err error) {
	return s, r.get(ctx, "/v1/settled", nil, &s)
}
