package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/internal/budget"
	"assay/internal/config"
	"assay/internal/fleet"
	"assay/streams"
)

const (
	// payloadLeast is the largest message that the servers of a fleet must allow: the largest event with its headers.
	payloadLeast = 17 << 20
	// fleetPartitions is into how many partitions a fleet's log is divided where nothing is said: enough for as many workers.
	fleetPartitions = 16
	// fleetAckWait is how long what a worker has taken stays away when that dies, where nothing else is said.
	fleetAckWait = 10 * time.Second
)

// DefineFleet defines streams, buckets and tables of a fleet, or changes the definitions to what the settings say. Errors say what
// the servers would have to allow.
func DefineFleet(ctx context.Context, opts Options) (partitions int, err error) {
	opts.Defining = true
	c := &opts.Config
	switch {
	case c.NATS.URL == "":
		return 0, fmt.Errorf("%w: a fleet needs a NATS cluster: say which by --nats", config.ErrInvalid)
	case c.Store.URL == "":
		return 0, fmt.Errorf("%w: a fleet needs a store that all workers reach: say which by --store", config.ErrInvalid)
	}
	if c.Log.AckWait == config.Default().Log.AckWait {
		c.Log.AckWait = fleetAckWait
	}
	p := &Pipeline{opts: opts, shares: budget.For(c.Memory), reached: make(chan struct{})}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	if err := p.openEmbedder(ctx); err != nil {
		return 0, err
	}
	conn, err := p.connect()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if most := conn.MaxPayload(); most < payloadLeast {
		return 0, fmt.Errorf("%w: the servers take messages of %d bytes at most: set max_payload: 17MiB", streams.ErrConfig, most)
	}
	if defined, err := streams.Defined(ctx, conn); err != nil {
		return 0, err
	} else if !defined && c.Log.Partitions == 0 {
		p.opts.Config.Log.Partitions = fleetPartitions
	}
	if err := p.openLog(ctx); err != nil {
		return 0, err
	}
	return p.log.Partitions(), p.openStore(ctx)
}

// FleetLooker looks at a fleet from outside, without being a worker.
type FleetLooker struct{ pipeline *Pipeline }

// LookAtFleet connects to the cluster that the settings name.
func LookAtFleet(ctx context.Context, opts Options) (*FleetLooker, error) {
	opts.Reading = true
	if opts.Config.NATS.URL == "" {
		return nil, fmt.Errorf("%w: say which cluster by --nats", config.ErrInvalid)
	}
	p := &Pipeline{opts: opts, shares: budget.For(opts.Config.Memory)}
	if err := p.openLog(ctx); err != nil {
		return nil, errors.Join(err, p.Close(context.WithoutCancel(ctx)))
	}
	return &FleetLooker{p}, nil
}

// Status tells who works, and how far each partition is behind.
func (l *FleetLooker) Status(ctx context.Context) (*fleet.Status, error) {
	return l.pipeline.FleetStatus(ctx)
}

// Close ends the connection.
func (l *FleetLooker) Close() { _ = l.pipeline.Close(context.Background()) } // there is nothing to be lost
