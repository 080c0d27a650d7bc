package streams

import (
	"os"
	"path/filepath"
	"testing"
	"log/slog"
)

func TestExp(t *testing.T) {
	for _, c := range []struct{ file, how string }{
		{"BRONZE/meta.inf", "flip"}, {"BRONZE/meta.inf", "rm"}, {"BRONZE/obs/silver/o.dat", "flip"}, {"BRONZE/obs/silver/o.dat", "cut"}, {"BRONZE/obs/silver/meta.inf", "flip"}, {"BRONZE/obs/silver/meta.sum", "flip"},
		{"BRONZE/msgs", "blk"},{"BRONZE/msgs", "all"},{"BRONZE/msgs", "1"},
	} {
		t.Run(c.file+" "+c.how, func(t *testing.T) {
			dir := t.TempDir()
			n := chainedNode(t, dir)
			cons, _ := n.SilverConsumer(testContext(t))
			b, err := cons.Fetch(20)
			if err != nil { t.Fatal(err) }
			for m := range b.Messages() { m.Ack() }
			n.stop(t)
			path := filepath.Join(dir, "log/jetstream/$G/streams", c.file)
			switch c.how {
			case "flip":
				data, err := os.ReadFile(path)
				if err != nil { t.Fatal(err) }
				data[min(3, len(data)/2)] ^= 4
				if c.file == "BRONZE/obs/silver/o.dat" { data[0] ^= 0x80 }
				os.WriteFile(path, data, 0o600)
			case "cut": os.Truncate(path, 3)
			case "rm": os.Remove(path)
			case "blk", "all", "1":
				names, _ := filepath.Glob(filepath.Join(path, "*.blk"))
				t.Log(names)
				if c.how == "1" { names = names[:1] }
				for _, x := range names { os.Remove(x) }
				if c.how == "all" { os.Remove(filepath.Join(path, "index.db")) }
			}
			config, _ := os.ReadFile("../nats.conf")
			s, err := StartServer(testContext(t), ServerConfig{DataDir: dir, Config: config, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
			if err != nil { t.Log("START", err); return }
			nc, _ := s.Connect()
			l, err := Open(testContext(t), nc, smallConfig())
			if err != nil { t.Log("OPEN", err) } else {
				i, _ := l.Bronze().Info(testContext(t))
				t.Logf("state %+v %v damage %+v", i.State, i.Created, l.Damage())
			}
			nc.Close(); s.Stop(testContext(t))
		})
	}
}
