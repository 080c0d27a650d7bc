package bronze_test

import (
	"testing"

	"assay/consumers/bronze"
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
