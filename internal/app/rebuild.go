package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"assay/internal/ops/rebuild"
)

// Rebuild makes tables and state anew from the log, unless Open has just done so. The pipeline must not have been started.
// The error wraps rebuild.ErrAged if they would lose rows of frames that the log no longer has, and Options.AllowDataLoss does not
// allow that.
func (p *Pipeline) Rebuild(ctx context.Context) (*rebuild.Result, error) {
	if p.rebuilt != nil {
		return p.rebuilt, nil
	}
	result, err := p.rebuild(ctx)
	if err != nil {
		return nil, err
	}
	return result, p.openConsumers(ctx) // on the new tables
}

// rebuild builds beside what there is, closes that and opens what was built in its place.
func (p *Pipeline) rebuild(ctx context.Context) (*rebuild.Result, error) {
	options, err := p.rebuildOptions(ctx)
	if err != nil {
		return nil, err
	}
	result, err := rebuild.Build(ctx, options)
	if err == nil {
		err = p.closeTables(ctx)
	}
	if err == nil {
		err = p.swap(ctx)
	}
	if err != nil {
		return nil, err
	}
	if result.Unreadable != "" {
		p.opts.Logger.Warn("promotions without a row are asked for again, under their idempotency keys", "asked", result.Asked,
			"reason", result.Unreadable)
	}
	if p.opts.AllowDataLoss {
		if err := p.acceptLoss(ctx); err != nil {
			return nil, err
		}
	}
	p.damaged = nil
	if err := p.openTables(ctx); err != nil || p.late {
		return result, err
	}
	return result, p.openStates(ctx)
}

// acceptLoss notes that somebody has decided to go on without what the log has lost, so that it is reported no more.
func (p *Pipeline) acceptLoss(ctx context.Context) error {
	missing, err := p.log.Missing(ctx)
	if err != nil {
		return err
	}
	return p.log.Accept(ctx, missing)
}

func (p *Pipeline) rebuildOptions(ctx context.Context) (options rebuild.Options, err error) {
	silver, err := p.silverOptions(ctx)
	if err != nil {
		return options, err
	}
	gold, err := p.goldOptions(ctx)
	if err != nil {
		return options, err
	}
	stamp, err := p.programStamp(ctx)
	return rebuild.Options{
		Data: p.opts.Config.Data, Log: p.log, Silver: &silver, Gold: gold, Old: p.store, Stamp: stamp, Derivation: p.derivation().encode(),
		AllowDataLoss: p.opts.AllowDataLoss, Progress: p.opts.Rebuilding,
		OpenStore: func(ctx context.Context, dir string) (rebuild.Store, error) {
			return p.opts.Stores.Open(ctx, dir, p.embedder.Dimensions(), p.shares)
		},
	}, err
}

// programStamp tells this program, with the settings that decide about rows and with what is forgotten, from any other.
func (p *Pipeline) programStamp(ctx context.Context) (string, error) {
	forgotten, err := p.log.Tombstones(ctx)
	if err != nil {
		return "", err
	}
	c := p.opts.Config
	settings, err := json.Marshal([]any{c.Namespace, c.Gate, c.Keys, p.embedder.Model(), p.embedder.Dimensions(), forgotten})
	if err != nil {
		return "", fmt.Errorf("stamp: %w", err)
	}
	program, err := programDigest()
	if err != nil {
		return "", fmt.Errorf("stamp: %w", err)
	}
	return fmt.Sprintf("%x %s\n", program, settings), nil
}

// programDigest is the SHA-256 of this program, which is large.
var programDigest = sync.OnceValues(func() ([]byte, error) {
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	return hash.Sum(nil), err
})
