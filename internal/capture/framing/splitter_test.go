package framing_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"assay/internal/capture/framing"
)

const noLimit = 1 << 30

// split writes the chunks and returns copies of all units, the tail as the last one, and the errors.
func split(f framing.Format, limit int, chunks ...[]byte) (units []framing.Unit, errs []error) {
	s := framing.NewSplitter(f, limit)
	for _, chunk := range chunks {
		for u, err := range s.Write(chunk) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			units = append(units, framing.Unit{Raw: bytes.Clone(u.Raw), Events: u.Events})
		}
	}
	tail := s.Tail()
	return append(units, framing.Unit{Raw: bytes.Clone(tail.Raw), Events: tail.Events}), errs
}

// events decodes units one by one, as frames of their own, and checks that each holds as many events as it says.
func events(t failer, f framing.Format, units []framing.Unit) []string {
	t.Helper()
	var all []string
	for _, u := range units {
		before := len(all)
		if f == framing.SSE {
			for b := range framing.ParseSSE(u.Raw, before == 0) {
				all = append(all, string(b.Raw))
			}
		} else {
			for text := range framing.Texts(f, u.Raw, before == 0) {
				all = append(all, string(text))
			}
		}
		if len(all)-before != u.Events {
			t.Fatalf("unit %q says %d events and holds %d", u.Raw, u.Events, len(all)-before)
		}
	}
	return all
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkSplit checks every promise of Splitter for one way of cutting body into chunks.
func checkSplit(t failer, f framing.Format, body []byte, chunks ...[]byte) {
	t.Helper()
	units, errs := split(f, noLimit, chunks...)
	if len(errs) > 0 {
		t.Fatalf("errors %v", errs)
	}
	var joined []byte
	for _, u := range units {
		joined = append(joined, u.Raw...)
	}
	if !bytes.Equal(joined, body) {
		t.Fatalf("units are %q, the stream %q", joined, body)
	}
	whole := events(t, f, []framing.Unit{{Raw: body, Events: framing.Count(f, body, true)}})
	if got := events(t, f, units); !slices.Equal(got, whole) {
		t.Fatalf("chunks %q: events %q, want %q", chunks, got, whole)
	}
}

func TestSplitterYieldsWholeUnits(t *testing.T) {
	for name, tt := range map[string]struct {
		format framing.Format
		body   string
		want   []string // units as raw bytes with their number of events, the tail last
	}{
		"SSE":    {framing.SSE, ": c\n\ndata: a\n\ndata: b\n", []string{": c\n\n 0", "data: a\n\n 1", "data: b\n 0"}},
		"NDJSON": {framing.NDJSON, "{}\r\n\n[1,2]\n3", []string{"{}\r\n 1", "\n 0", "[1,2]\n 2", "3 1"}},
		"JSON":   {framing.JSON, " [\n{},\n{}]\n", []string{" [\n{},\n{}]\n 2"}},
		"event stream": {framing.EventStream, string(message("1")) + string(message("22")) + "\x00\x00\x00\x99half", []string{
			string(message("1")) + " 1", string(message("22")) + " 1", "\x00\x00\x00\x99half 1",
		}},
		"blank JSON": {framing.JSON, " \n", []string{" \n 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			units, _ := split(tt.format, noLimit, []byte(tt.body))
			var got []string
			for _, u := range units {
				got = append(got, fmt.Sprintf("%s %d", u.Raw, u.Events))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSplitterAtEverySplitPoint(t *testing.T) {
	const everyPointMax = 4 << 10 // bytes; the work grows with the square of it
	for name, body := range recordings(t, "sse/*.sse") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkSplit(t, framing.SSE, body, body)
			rng := rand.New(rand.NewPCG(1, uint64(len(body))))
			points := []int{}
			for p := range body {
				if len(body) <= everyPointMax || rng.IntN(len(body)) < 16 {
					points = append(points, p)
				}
			}
			for _, p := range points {
				checkSplit(t, framing.SSE, body, body[:p], body[p:])
			}
			checkSplit(t, framing.SSE, body, chop(rng, body, 64)...)
		})
	}
}

func TestSplitterOnLines(t *testing.T) {
	for _, pattern := range []string{"jsonrpc/*.ndjson", "events/*.ndjson"} {
		for _, body := range recordings(t, pattern) {
			rng := rand.New(rand.NewPCG(2, 0))
			checkSplit(t, framing.NDJSON, body, body)
			checkSplit(t, framing.NDJSON, body, chop(rng, body, 4096)...)
		}
	}
}

// chop cuts body into chunks of 1 to most bytes.
func chop(rng *rand.Rand, body []byte, most int) [][]byte {
	var chunks [][]byte
	for len(body) > 0 {
		n := min(1+rng.IntN(most), len(body))
		chunks = append(chunks, body[:n])
		body = body[n:]
	}
	return chunks
}

func TestSplitterIgnoresChunks(t *testing.T) {
	pieces := map[framing.Format][]string{
		framing.SSE:         {"\ufeff", "\n", "\r", "\r\n", "data: x", "data", "id: 1", ": c", "event", " ", "é"},
		framing.NDJSON:      {"\ufeff", "\n", "\r", " ", "{}", "[", "]", "1", ",", `"a]\"["`, "{", "}", "é", "\xff"},
		framing.JSON:        {"\ufeff", "\n", " ", "{}", "[", "]", "1", ",", `"\\"`},
		framing.EventStream: {string(message("{}", ":event-type", "a")), string(message("")), "\x00", "\x00\x00\x00\x10", "x"},
	}
	for f, alphabet := range pieces {
		rapid.Check(t, func(t *rapid.T) {
			body := []byte(strings.Join(rapid.SliceOf(rapid.SampledFrom(alphabet)).Draw(t, "pieces"), ""))
			var chunks [][]byte
			for rest := body; len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "n")
				chunks = append(chunks, rest[:n])
				rest = rest[n:]
			}
			checkSplit(t, f, body, chunks...)
		})
	}
}

func TestTooLarge(t *testing.T) {
	const limit = 16
	large := strings.Repeat("x", 40)
	for name, tt := range map[string]struct {
		format framing.Format
		body   string
		want   []string
		offset int64
	}{
		"SSE":            {framing.SSE, "data: a\n\ndata: " + large + "\n\ndata: b\n\n", []string{"data: a\n\n", "data: b\n\n", ""}, 9},
		"NDJSON":         {framing.NDJSON, "{}\n" + large + "\n[]\n", []string{"{}\n", "[]\n", ""}, 3},
		"NDJSON at end":  {framing.NDJSON, "{}\n" + large, []string{"{}\n", ""}, 3},
		"JSON":           {framing.JSON, large, []string{""}, 0},
		"as many as can": {framing.NDJSON, "0123456789abcde\n0123456789abcdef\n", []string{"0123456789abcde\n", ""}, 16},
	} {
		for _, size := range []int{1, 3, 7, 1000} {
			t.Run(fmt.Sprintf("%s in chunks of %d", name, size), func(t *testing.T) {
				units, errs := split(tt.format, limit, slices.Collect(slices.Chunk([]byte(tt.body), size))...)
				var got []string
				for _, u := range units {
					got = append(got, string(u.Raw))
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("units %q, want %q", got, tt.want)
				}
				var large *framing.TooLargeError
				if len(errs) != 1 || !errors.Is(errs[0], framing.ErrTooLarge) || !errors.As(errs[0], &large) {
					t.Fatalf("errors %v, want one ErrTooLarge", errs)
				}
				position := min(uint64(len(tt.want)-1), 1)
				if want := (framing.TooLargeError{Position: position, Offset: tt.offset, Limit: limit}); *large != want {
					t.Errorf("got %+v, want %+v", *large, want)
				}
			})
		}
	}
}

// TestOneTerminatorOnly holds the scan to linear time: searching every unit to the chunk's end for the terminator that
// never comes takes minutes here.
func TestOneTerminatorOnly(t *testing.T) {
	for _, terminator := range []string{"\r", "\n"} {
		body := []byte(strings.Repeat("data: x"+terminator+terminator, 1<<18))
		units, _ := split(framing.SSE, noLimit, body)
		if len(units) != 1<<18+1 || framing.Count(framing.SSE, body, true) != 1<<18 {
			t.Errorf("%d units, %d events", len(units), framing.Count(framing.SSE, body, true))
		}
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add(byte(0), uint16(9), []byte("\ufeff: c\r\n\r\ndata: a\r\rdata: b\n\n"))
	f.Add(byte(1), uint16(5), []byte("{\"a\": [1, \"]\\\"\"]}\n[1, {\"b\": 2}]\n\n[\n"))
	f.Add(byte(2), uint16(3), []byte("\ufeff[{}, [], \"é\"]"))
	f.Add(byte(3), uint16(7), append(message("{}", "a", "b"), message("")...))
	f.Fuzz(func(t *testing.T, format byte, seed uint16, body []byte) {
		rng := rand.New(rand.NewPCG(uint64(seed), 3))
		checkSplit(t, framing.Format(format%4), body, chop(rng, body, 1+int(seed%32))...)
	})
}

func BenchmarkSplitter(b *testing.B) {
	for f, pattern := range map[framing.Format]string{framing.SSE: "sse/*.sse", framing.NDJSON: "jsonrpc/*.ndjson"} {
		b.Run(pattern, func(b *testing.B) {
			var body []byte
			for _, file := range recordings(b, pattern) {
				body = append(append(body, file...), "\n\n"...)
			}
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				s := framing.NewSplitter(f, noLimit)
				for chunk := range slices.Chunk(body, 64<<10) {
					for range s.Write(chunk) {
					}
				}
			}
		})
	}
}
