package streams

import (
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// blockCacheExpire is how long the server keeps a block of a stream in memory after it was last written or read. Its own
// default is 10 s, for which there is no setting (nats-server#5740): a log that takes 50 MB/s would hold 500 MB of what it
// has just written. A reader that comes later gets the block from the file, as a rule out of the kernel's cache.
const blockCacheExpire = 200 * time.Millisecond

// blockBytes is how large a block is at which the next one begins, half of the server's own choice.
const blockBytes = 4 << 20

// BoundMemory makes the server let go of what the streams have written and read after a moment. Call it when Open has
// defined the streams and before anything is written, for a block keeps the time that it began with.
//
// The server does not export what has to be set, so that reflection looks for it by name. The error wraps ErrServer and
// tells which name another version of the server no longer has; without it the server works as well and takes more memory.
func (s *Server) BoundMemory() error {
	if err := shortenBlockCache(s.nats.GlobalAccount()); err != nil {
		return fmt.Errorf("%w: bound its memory: %w", ErrServer, err)
	}
	return nil
}

func shortenBlockCache(account any) (err error) {
	defer func() {
		if p := recover(); p != nil { // a name has another type
			err = fmt.Errorf("nats-server %s: %v", server.VERSION, p)
		}
	}()
	streams, err := field(reflect.ValueOf(account), "js", "streams")
	if err != nil {
		return err
	}
	for _, name := range streams.MapKeys() {
		config, err := field(streams.MapIndex(name), "store", "fcfg")
		if err != nil {
			return err
		}
		if t := config.Type(); t != reflect.TypeFor[server.FileStoreConfig]() {
			return fmt.Errorf("nats-server %s has a %v for its files", server.VERSION, t)
		}
		files := (*server.FileStoreConfig)(config.Addr().UnsafePointer())
		files.CacheExpire, files.BlockSize = blockCacheExpire, min(files.BlockSize, blockBytes)
	}
	return nil
}

// field follows names from v, through pointers and interfaces.
func field(v reflect.Value, names ...string) (reflect.Value, error) {
	for _, name := range names {
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || !v.FieldByName(name).IsValid() {
			return v, fmt.Errorf("nats-server %s has no %q any more", server.VERSION, name)
		}
		v = v.FieldByName(name)
	}
	return v, nil
}
