package promotion

import (
	"context"
	"fmt"
	"time"
)

// Registry is where promotions are published. An implementation is one file: its requests go through an Endpoint's
// transport, which tells apart the failures below.
type Registry interface {
	// Name identifies kind and address; a publication that waits for another name is tried at once.
	Name() string
	// Publish publishes the promotion and returns the name that the registry gave it. It may be called again for the
	// same promotion. Errors wrap ErrUnavailable, ErrUnanswered or ErrRejected; others count as ErrUnavailable.
	Publish(ctx context.Context, p *Promotion) (urn string, err error)
	// Lookup asks whether the promotion has been published, after an attempt whose outcome is unknown. A registry
	// whose Publish is idempotent says that it has not been found.
	Lookup(ctx context.Context, p *Promotion) (urn string, found bool, err error)
	// Close releases idle connections.
	Close()
}

// The kinds of registry.
const (
	KindCoReason = "coreason"
	KindMCP      = "mcp"
)

// Open returns the registry of that kind at the endpoint. Errors wrap ErrOptions.
func Open(kind string, e Endpoint) (Registry, error) {
	switch kind {
	case KindCoReason:
		return NewCoReason(e)
	case KindMCP:
		return NewMCP(e)
	default:
		return nil, fmt.Errorf("%w: registry kind %q is neither %s nor %s", ErrOptions, kind, KindCoReason, KindMCP)
	}
}

// Failure is why a registry did not publish.
type Failure struct {
	Kind       error         // ErrUnavailable, ErrUnanswered or ErrRejected
	Reason     string        // for people, of at most reasonBytesMax
	RetryAfter time.Duration // the registry's wish, 0 if it has none
	Err        error         // cause, or nil
}

func (f *Failure) Error() string { return f.Kind.Error() + ": " + f.Reason }

func (f *Failure) Unwrap() []error {
	if f.Err == nil {
		return []error{f.Kind}
	}
	return []error{f.Kind, f.Err}
}
