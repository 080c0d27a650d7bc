package streams

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
)

// The server passes over a stream whose definition is damaged, as if there were none, and stops one that has a consumer whose
// definition is damaged. So definitions are inspected before it starts, and what it has recovered is afterwards:
//
//   - A consumer that is damaged is set aside, and Open defines it anew. It is then delivered everything again, which
//     whoever consumes here must bear anyway.
//   - A stream that is damaged and has messages is an error: only a person can say what it was.

// Layout of the server's store below its directory: ACCOUNT/streams/STREAM/obs/CONSUMER.
const (
	accountsDir  = "jetstream"
	streamsDir   = "streams"
	consumersDir = "obs"
	messagesDir  = "msgs"
	// asideDir keeps what was set aside, beside accountsDir.
	asideDir = "damaged"
)

// inspection looks at the store of a server that is no part of a cluster.
type inspection struct {
	dir string // the server's store
	log *serverLog
}

// before checks definitions before the server starts.
func (in *inspection) before() error {
	return in.each(func(_, stream, dir string) error {
		if err := checkDefinition(dir, stream); err != nil {
			return in.damagedStream(dir, err)
		}
		return eachDir(filepath.Join(dir, consumersDir), func(consumer, dir string) error {
			if err := checkDefinition(dir, stream+"/"+consumer); err != nil {
				return in.setAside(dir, err)
			}
			return nil
		})
	})
}

// damagedStream sets aside what a crash left of a stream that was just being made. One with messages it leaves as it is.
func (in *inspection) damagedStream(dir string, why error) error {
	blocks, err := filepath.Glob(filepath.Join(dir, messagesDir, "*.blk"))
	if err != nil {
		return err
	}
	for _, block := range blocks {
		if info, err := os.Stat(block); err != nil || info.Size() > 0 {
			return fmt.Errorf("%w; put %s of a mirror or a backup in place, or replace meta.inf and meta.sum in %s, beside which its"+
				" messages are, by those of a data directory that was just made with the same settings", why, in.dir, dir)
		}
	}
	return in.setAside(dir, why)
}

// after compares what the server has recovered with what there is.
func (in *inspection) after(ns *server.Server) error {
	known, err := ns.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Consumer: true, DirectConsumer: true})
	if err != nil {
		return fmt.Errorf("list what was recovered: %w", err)
	}
	recovered := map[string]bool{}
	for _, account := range known.AccountDetails {
		for _, stream := range account.Streams {
			recovered[filepath.Join(account.Name, stream.Name)] = true
			for _, consumer := range append(stream.Consumer, stream.DirectConsumer...) {
				recovered[filepath.Join(account.Name, stream.Name, consumer.Name)] = true
			}
		}
	}
	return in.each(func(account, stream, dir string) error {
		if !recovered[filepath.Join(account, stream)] {
			return fmt.Errorf("the server did not recover the stream in %s: see its log; put %s of a mirror or a backup in its place",
				dir, in.dir)
		}
		return eachDir(filepath.Join(dir, consumersDir), func(consumer, dir string) error {
			if !recovered[filepath.Join(account, stream, consumer)] {
				return in.setAside(dir, errors.New("its state cannot be read"))
			}
			return nil
		})
	})
}

// setAside moves a directory to where the server does not look.
func (in *inspection) setAside(dir string, why error) error {
	name, err := filepath.Rel(filepath.Join(in.dir, accountsDir), dir)
	if err != nil {
		return err
	}
	to := filepath.Join(in.dir, asideDir, time.Now().UTC().Format("20060102T150405.000000000"), name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Rename(dir, to); err != nil && !errors.Is(err, fs.ErrNotExist) { // else the server removed it meanwhile
		return err
	}
	in.log.Warnf("%s was damaged and is made anew: %v; what was there is kept in %s", dir, why, to)
	return nil
}

// each visits the directories of streams.
func (in *inspection) each(visit func(account, stream, dir string) error) error {
	return eachDir(filepath.Join(in.dir, accountsDir), func(account, dir string) error {
		return eachDir(filepath.Join(dir, streamsDir), func(stream, dir string) error { return visit(account, stream, dir) })
	})
}

// eachDir visits the directories in one, if there is one, but for those that the server is about to remove.
func eachDir(parent string, visit func(name, dir string) error) error {
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if err := visit(entry.Name(), filepath.Join(parent, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// checkDefinition compares a definition with its checksum, as the server makes it: the HighwayHash of the file, keyed by the
// name of what it defines.
func checkDefinition(dir, name string) error {
	file := filepath.Join(dir, server.JetStreamMetaFile)
	definition, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(dir, server.JetStreamMetaFileSum))
	if err != nil {
		return err
	}
	key := sha256.Sum256([]byte(name))
	hash, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return err
	}
	_, _ = hash.Write(definition) // never fails, as of any hash
	if hex.EncodeToString(hash.Sum(nil)) != string(sum) {
		return fmt.Errorf("%s is damaged: it does not fit its checksum", file)
	}
	return nil
}
