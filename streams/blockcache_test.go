package streams

import (
	"reflect"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// The server exports none of what BoundMemory sets, so another version may name it otherwise.
func TestBoundMemoryReachesEveryStream(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	if err := n.server.BoundMemory(); err != nil {
		t.Fatal(err)
	}
	streams, err := field(reflect.ValueOf(n.server.nats.GlobalAccount()), "js", "streams")
	if err != nil || streams.Len() < 4 {
		t.Fatalf("%v, %v", streams, err)
	}
	for _, name := range streams.MapKeys() {
		config, err := field(streams.MapIndex(name), "store", "fcfg")
		if err != nil {
			t.Fatal(err)
		}
		got := (*server.FileStoreConfig)(config.Addr().UnsafePointer())
		if got.CacheExpire != blockCacheExpire || got.BlockSize > blockBytes {
			t.Errorf("%v keeps blocks of %d bytes for %v", name, got.BlockSize, got.CacheExpire)
		}
	}
	if _, err := field(reflect.ValueOf(n.server.nats.GlobalAccount()), "js", "gone"); err == nil {
		t.Error("what is not there is not missed")
	}
}

// Another version of the server is gone without, and does not end the program.
func TestBoundMemoryOfAnotherServer(t *testing.T) {
	type account struct{ js *struct{ streams []int } }
	for _, other := range []any{&struct{}{}, &account{&struct{ streams []int }{[]int{1}}}} {
		if err := shortenBlockCache(other); err == nil {
			t.Errorf("%T is taken for the server's account", other)
		}
	}
}
