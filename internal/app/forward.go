package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"assay/internal/config"
	"assay/internal/edge"
	"assay/internal/query"
	"assay/streams"
)

// nearly is from what part of a limit on an edge's log is warned about.
const nearly = 0.8

// openForward prepares the forwarding of an edge.
func (p *Pipeline) openForward(context.Context) error {
	c := p.opts.Config.Forward
	if c.URL == "" {
		return nil
	}
	name, err := p.workerName()
	if err != nil {
		return err
	}
	p.edge = p.log.EdgeName(name)
	if p.opts.Reading {
		return nil
	}
	place := edge.Place{URL: c.URL, Token: c.Token, Credentials: c.Credentials, Edge: p.edge, Decode: p.decodeAll()}
	p.forwarder = edge.New(edge.Options{Log: p.log, Edge: p.edge, Open: place.Open, Decode: place.Decode, Logger: p.opts.Logger})
	return nil
}

// decodeAll is what becomes of a frame, whatever is forgotten.
func (p *Pipeline) decodeAll() edge.Decode {
	options := p.refining
	options.Forgotten = nil
	return options.Events
}

// forward forwards what an edge captures.
func (p *Pipeline) forward(ctx context.Context) error {
	if p.forwarder == nil {
		return nil
	}
	return p.forwarder.Run(ctx)
}

// ForwardHandler answers edges that forward to this pipeline's log: GET and POST /v1/forward/{edge}.
func (p *Pipeline) ForwardHandler() http.Handler { return edge.NewHandler(p.log, p.decodeAll()) }

// Forwarding tells how far an edge has forwarded its log, nil where nothing is forwarded.
func (p *Pipeline) Forwarding(ctx context.Context) (*query.ForwardSummary, error) {
	if p.edge == "" {
		return nil, nil
	}
	at, err := p.log.Forwarding(ctx)
	if err != nil {
		return nil, err
	}
	return p.summariseForwarding(at), nil
}

func (p *Pipeline) summariseForwarding(at streams.Forwarding) *query.ForwardSummary {
	s := &query.ForwardSummary{
		Hub: withoutSecrets(p.opts.Config.Forward.URL), Edge: p.edge, Sequence: at.Sequence, Lag: at.Lag, LagBytes: at.Bytes, Oldest: at.Oldest,
	}
	if p.forwarder != nil {
		state := p.forwarder.State()
		s.Refused, s.Lost, s.Away, s.Since = state.Refused, state.Lost, state.Away, state.Since
	}
	return s
}

// withoutSecrets are URLs without what stands before an @.
func withoutSecrets(urls string) string {
	all := strings.Split(urls, ",")
	for i, one := range all {
		if u, err := url.Parse(strings.TrimSpace(one)); err == nil {
			u.User = nil
			all[i] = u.String()
		}
	}
	return strings.Join(all, ",")
}

// forwardBusy tells whether there is something to forward that could be forwarded now.
func (p *Pipeline) forwardBusy(ctx context.Context) (bool, error) {
	if p.forwarder == nil || p.forwarder.State().Away != "" {
		return false, nil
	}
	at, err := p.log.Forwarding(ctx)
	return at.Lag > 0, err
}

// forwardWarnings tell that the hub is away, and that the log nears a limit at which it refuses frames, or drops such as the hub does not
// have.
func (p *Pipeline) forwardWarnings(ctx context.Context) (warnings []string, err error) {
	if p.edge == "" {
		return nil, nil
	}
	at, err := p.log.Forwarding(ctx)
	if err != nil {
		return nil, err
	}
	s := p.summariseForwarding(at)
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	if s.Away != "" {
		warn("%d frames wait to be forwarded to %s, since %s: %s", s.Lag, s.Hub, s.Since.UTC().Format(time.RFC3339), s.Away)
	}
	if s.Lost > 0 {
		warn("%d frames have left the log before the hub had them: raise log.max_bytes or log.max_age", s.Lost)
	}
	c := p.opts.Config.Log
	waiting := float64(at.Bytes) / float64(c.MaxBytes)
	switch full := 100 * at.Full; {
	case c.Discard == config.DiscardOld && waiting >= nearly:
		warn("frames that wait for the hub fill %.0f %% of the log, which then drops the oldest of them: raise log.max_bytes", 100*waiting)
	case c.Discard == config.DiscardNew && at.Full >= nearly && at.Lag == 0:
		warn("the log is %.0f %% full and then refuses more, although the hub has all of it: set log.discard: old, or raise log.max_bytes", full)
	case c.Discard == config.DiscardNew && at.Full >= nearly:
		warn("the log is %.0f %% full and then refuses more, and %d frames in it wait for the hub: raise log.max_bytes", full, at.Lag)
	}
	if c.MaxAge > 0 && !at.Oldest.IsZero() && time.Since(at.Oldest) >= time.Duration(nearly*float64(c.MaxAge)) {
		warn("the first of %d frames that wait for the hub leaves the log at %s: raise log.max_age", at.Lag,
			at.Oldest.Add(c.MaxAge).UTC().Format(time.RFC3339))
	}
	return warnings, nil
}

// refines tells whether what this process captures is made into rows here, or by another worker of a fleet.
func (p *Pipeline) refines() bool {
	return p.server == nil || p.opts.Config.Fleet.Has(config.RoleRefine)
}

// silverLag is the lag by which the load gate goes. Where nothing is refined there is none.
func (p *Pipeline) silverLag(ctx context.Context) (uint64, error) {
	if !p.refines() {
		return 0, nil
	}
	return p.log.SilverLag(ctx)
}
