package bronze_test

import (
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"assay/consumers/bronze"
	"assay/internal/capture/framing"
	"assay/streams"
)

// BenchmarkDecode decodes recordings, one frame a file.
func BenchmarkDecode(b *testing.B) {
	data := recordings(b)
	byProvider := map[string][]*streams.Frame{}
	for _, r := range sseRecordings(b, data) {
		provider := providerAt(r.Endpoint)
		byProvider[provider] = append(byProvider[provider], frameOf(streams.SourceSSE, r.File, readFile(b, data, "sse", r.File)))
	}
	byProvider["mcp"] = []*streams.Frame{frameOf(streams.SourceJSONRPC, "mcp", readFile(b, data, "jsonrpc", "server-memory.ndjson"))}
	byProvider["state"] = []*streams.Frame{frameOf(streams.SourceEvent, "swe", readFile(b, data, "events", "swe-agent.ndjson"))}
	for provider, frames := range byProvider {
		b.Run(provider, func(b *testing.B) {
			size, events := 0, 0
			for _, f := range frames {
				size, events = size+len(f.Body), events+f.Count
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range frames {
					bronze.Decode(f, 1)
				}
			}
			b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// warmBytes is how much each measurement decodes at least, so that it says something with -benchtime 1x too.
const warmBytes = 32 << 20

// BenchmarkFormats decodes recordings of what agents write, one frame a file, and tells the speed for a second of one core, garbage
// collection included. With -benchtime 1x it decodes them often enough for that to be more than the first time.
func BenchmarkFormats(b *testing.B) {
	dir := filepath.Join(filepath.Dir(recordings(b)), "formats")
	folders, err := os.ReadDir(dir)
	if err != nil {
		b.Skip("no samples of formats at ../shared/formats beside the repository")
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		b.Run(folder.Name(), func(b *testing.B) {
			frames, size := sampleFrames(b, filepath.Join(dir, folder.Name()))
			rounds := 1 + warmBytes/size
			b.SetBytes(int64(rounds * size))
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				for range rounds {
					for _, f := range frames {
						bronze.Decode(f, 1)
					}
				}
			}
			b.ReportMetric(float64(rounds*size)*float64(b.N)/1e6/(cpuTime(b)-began).Seconds(), "MB/core-s")
		})
	}
}

// sampleFrames returns each recording below a folder as a frame.
func sampleFrames(tb testing.TB, dir string) (frames []*streams.Frame, size int) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) == ".md" || strings.HasSuffix(path, ".truth.json") {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir)
		var f *streams.Frame
		switch filepath.Ext(path) {
		case ".b64":
			raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(body)), ""))
			if err != nil {
				return err
			}
			f = eventStreamFrame(raw)
			f.Stream = name
		case ".sse":
			f = frameOf(streams.SourceSSE, name, append(body, "\n\n"...))
		case ".json":
			f = frameOf(streams.SourceEvent, name, body)
			f.ContentType, f.Count = streams.ContentJSON, framing.Count(framing.JSON, body, true)
		default:
			f = frameOf(streams.SourceEvent, name, body)
		}
		frames, size = append(frames, f), size+len(f.Body)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return frames, size
}

// cpuTime is what the process has used of its cores.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
