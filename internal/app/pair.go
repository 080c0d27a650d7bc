package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"assay/consumers/gold"
	"assay/sovereign/schema"
	"assay/streams"
)

// ErrPair means that a fleet's log and its store do not belong together.
var ErrPair = errors.New("log and store do not belong together")

// pair makes sure that the log and the store of a fleet belong together. Who defines them has them carry each other's id, and ends what was
// begun and interrupted of that.
func (p *Pipeline) pair(ctx context.Context) error {
	if err := p.checkStates(); err != nil {
		return err
	}
	id, err := p.store.Identity(ctx)
	if err != nil {
		return err
	}
	if err := p.checkPair(id); err != nil || !p.opts.Defining {
		return err
	}
	if id.Store == "" {
		id = schema.Identity{Store: p.log.StoreID(), Log: p.log.ID()}
		if id.Store == "" {
			id.Store = uuid.NewString()
		}
		if err := p.store.Identify(ctx, id); err != nil {
			return fmt.Errorf("write the id of the store: %w", err)
		}
	}
	return p.log.NameStore(ctx, id.Store, stateVersion)
}

// stateVersion is the version of the states that this program reads and writes.
var stateVersion = strconv.Itoa(gold.StateVersion)

// checkStates compares the version of a fleet's states with this program's. One of another version could not fold what it is to own.
func (p *Pipeline) checkStates() error {
	if has := p.log.StateVersion(); has != "" && has != stateVersion {
		return fmt.Errorf("%w: the states of this fleet have version %s, this program %s: let its workers go on with the program that they"+
			" have, or define a new log and store and ingest again", gold.ErrVersion, has, stateVersion)
	}
	return nil
}

// checkPair compares what log and store say of each other. Who defines them may find that they say nothing yet.
func (p *Pipeline) checkPair(id schema.Identity) error {
	root, named := p.storeRoot(), p.log.StoreID()
	switch {
	case id.Log != "" && id.Log != p.log.ID():
		return fmt.Errorf("%w: %s has the tables of log %s, and this log is %s: name the store of this log by --store", ErrPair, root, id.Log, p.log.ID())
	case named != "" && id.Store == "":
		return fmt.Errorf("%w: this log names store %s, and %s is empty: name that store by --store, or bring it back from a backup", ErrPair, named, root)
	case named != "" && id.Store != named:
		return fmt.Errorf("%w: this log names store %s, and %s is %s: name that store by --store", ErrPair, named, root, id.Store)
	case !p.opts.Defining && (named == "" || id.Store == ""):
		return fmt.Errorf("%w: they do not name each other: run `assay fleet upgrade` with the same --store", streams.ErrConfig)
	}
	return nil
}
