package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/internal/query"
)

var update = flag.Bool("update", false, "write the golden files anew")

func node(kind, name string, count, failed int64) query.Element {
	return query.Element{ID: kind + "|" + name, SourceType: kind, Source: name, Count: count, Errors: failed}
}

func edge(from, to, relation string, count, failed int64) query.Element {
	e := query.Element{ID: from + relation + to, Relation: relation, Count: count, Errors: failed}
	e.SourceType, e.Source, _ = strings.Cut(from, ":")
	e.TargetType, e.Target, _ = strings.Cut(to, ":")
	return e
}

// small is a graph with each kind of node and relation, and with names that are markup in one format or another.
func small() *query.Graph {
	g := &query.Graph{
		Nodes: []query.Element{
			node("workflow", "fix the \"build\"\n&lt;now&gt;", 5, 1), node("agent", `back\slash <b>&`, 1, 0),
			node("capability", "search#1", 4, 1), node("capability", "`edit`", 1, 0), node("model", "m-1", 1, 0), node("capability", "lonely", 0, 0),
		},
		Edges: []query.Element{
			edge("workflow:fix the \"build\"\n&lt;now&gt;", "capability:search#1", "calls", 4, 0),
			edge("capability:search#1", "workflow:fix the \"build\"\n&lt;now&gt;", "answers", 4, 1),
			edge("workflow:fix the \"build\"\n&lt;now&gt;", "model:m-1", "calls", 1, 0),
			edge(`agent:back\slash <b>&`, "capability:`edit`", "calls", 1, 1),
			edge("capability:search#1", "capability:`edit`", "follows", 1, 0),
			edge("capability:search#1", "capability:search#1", "follows", 3, 0),
		},
	}
	for i := range g.Edges {
		g.Edges[i].FirstAt = time.Unix(1.76e9, 0).UTC()
	}
	return g
}

// large is like a store after some weeks: many workflows that call alike, and many that do not.
func large(workflows, capabilities int) *query.Graph {
	g := &query.Graph{}
	for i := range workflows {
		name := fmt.Sprintf("workflow-%04d", i)
		g.Nodes = append(g.Nodes, node("workflow", name, int64(i%50), int64(i%3)))
		for _, step := range []int{1, 7, 1 + i%5} {
			g.Edges = append(g.Edges, edge("workflow:"+name, fmt.Sprintf("capability:c-%04d", i*step%capabilities), "calls", int64(1+i%90), int64(i%2)))
		}
	}
	for i := range capabilities {
		name := fmt.Sprintf("c-%04d", i)
		g.Nodes = append(g.Nodes, node("capability", name, int64(i), 0))
		g.Edges = append(g.Edges, edge("capability:"+name, fmt.Sprintf("capability:c-%04d", i*13%capabilities), "follows", int64(i), 0))
	}
	return g
}

func render(t *testing.T, g *query.Graph, format string) string {
	t.Helper()
	text, contentType, err := Render(g, format)
	if err != nil || contentType == "" {
		t.Fatalf("%s: type %q, error %v", format, contentType, err)
	}
	return string(text)
}

func TestGolden(t *testing.T) {
	for _, format := range []string{FormatJSON, FormatDOT, FormatMermaid} {
		file, got := filepath.Join("testdata", "small."+format), render(t, small(), format)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != got {
			t.Errorf("%s differs from %s, error %v:\n%s", format, file, err, got)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, _, err := Render(small(), "png"); err == nil || !strings.Contains(err.Error(), "json, dot, mermaid, svg") {
		t.Errorf("error %v", err)
	}
}

// shape is an SVG element with what the tests look at.
type shape struct {
	name string
	attr map[string]string
	text string
}

// shapes parses a picture strictly and returns its elements.
func shapesOf(t *testing.T, svg string) []shape {
	t.Helper()
	var all []shape
	var open []int
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			s := shape{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				s.attr[a.Name.Local] = a.Value
			}
			open = append(open, len(all))
			all = append(all, s)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				all[open[len(open)-1]].text += string(token)
			}
		}
	}
}

func TestSVG(t *testing.T) {
	var lines []shape
	var titles, labels []string
	for _, s := range shapesOf(t, render(t, small(), FormatSVG)) {
		switch {
		case s.attr["class"] == "l":
			lines = append(lines, s)
		case s.name == "title":
			titles = append(titles, s.text)
		case s.name == "text":
			labels = append(labels, s.text)
		}
	}
	for _, want := range []string{`fix the "build"…;now&gt;`, `back\slash <b>&`, "search#1", "1 of 4 failed", "m-1", "lonely"} {
		if !slices.Contains(labels, want) {
			t.Errorf("no label %q in %q", want, labels)
		}
	}
	if len(lines) != 5 { // a call and its answer are one
		t.Errorf("%d lines", len(lines))
	}
	want := `fix the "build" &lt;now&gt; calls search#1: 4, 1 failed`
	if !slices.Contains(titles, want) {
		t.Errorf("no title %q in %q", want, titles)
	}
	widths, colours := map[string]bool{}, map[string]bool{}
	for _, l := range lines {
		widths[l.attr["stroke-width"]], colours[l.attr["stroke"]] = true, true
	}
	if len(widths) != 3 || len(colours) != 3 || !colours[calmColour] { // counts 1, 3, 4; none, some, all failed
		t.Errorf("widths %v, colours %v", widths, colours)
	}
}

// However large the graph, the picture is of a size that can be read, nothing lies on anything else or outside, and Mermaid
// takes it.
func TestPictureIsBounded(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {1, 1}, {30, 5}, {300, 50}, {3000, 700}} {
		g := large(size[0], size[1])
		p := newPicture(g, Apart)
		if p.count(true) > callersMax || p.count(false) > calleesMax || len(p.links) > linksMax {
			t.Errorf("%v: %d callers, %d callees, %d links", size, p.count(true), p.count(false), len(p.links))
		}
		var nodes int
		for _, b := range p.boxes {
			nodes += len(b.names)
		}
		if nodes != len(g.Nodes) {
			t.Errorf("%v: boxes stand for %d of %d nodes", size, nodes, len(g.Nodes))
		}
		checkBoxes(t, p)
		if text := render(t, g, FormatMermaid); len(text) >= 50_000 {
			t.Errorf("%v: %d bytes of Mermaid", size, len(text))
		}
		picture := render(t, g, FormatSVG)
		if picture != render(t, g, FormatSVG) {
			t.Errorf("%v: drawn twice, not the same", size)
		}
		checkInside(t, shapesOf(t, picture))
	}
}

func checkBoxes(t *testing.T, p *picture) {
	t.Helper()
	for i, a := range p.boxes {
		for _, b := range p.boxes[:i] {
			if a.caller() == b.caller() && math.Abs(a.row-b.row) < 1 {
				t.Errorf("%s in row %g lies on %s in row %g", a.label, a.row, b.label, b.row)
			}
		}
	}
}

var number = regexp.MustCompile(`-?\d+(\.\d+)?`)

func checkInside(t *testing.T, shapes []shape) {
	t.Helper()
	width, _ := strconv.ParseFloat(shapes[0].attr["width"], 64)
	height, _ := strconv.ParseFloat(shapes[0].attr["height"], 64)
	for _, s := range shapes {
		if s.attr["class"] != "l" {
			continue
		}
		at := number.FindAllString(s.attr["d"], -1)
		for i, text := range []string{at[0], at[1], at[6], at[7]} { // the ends
			if v, _ := strconv.ParseFloat(text, 64); v < 0 || v > []float64{width, height}[i%2] {
				t.Errorf("%s is outside of %g × %g", s.attr["d"], width, height)
			}
		}
	}
}

// Callers that call the same share a box once there are many.
func TestCallersAlike(t *testing.T) {
	g := &query.Graph{}
	for i := range callersAloneMax + 1 {
		name := fmt.Sprintf("w-%02d", i)
		g.Nodes = append(g.Nodes, node("workflow", name, 2, 1))
		g.Edges = append(g.Edges, edge("workflow:"+name, fmt.Sprintf("model:m-%d", min(i, 1)), "calls", 2, 1))
	}
	p := newPicture(g, Apart)
	var got []string
	for _, l := range p.links {
		got = append(got, fmt.Sprintf("%s→%s %d/%d", l.from.label, l.to.label, l.errors, l.count))
	}
	if want := []string{"w-00→m-0 1/2", "24 workflows→m-1 24/48"}; !slices.Equal(got, want) {
		t.Errorf("links are %q", got)
	}
	if text := render(t, g, FormatSVG); !strings.Contains(text, "w-01, w-02") || !strings.Contains(text, "and 12 more") {
		t.Error("the names of those in a box are not told")
	}
}

// Whatever names hold, the picture is XML and DOT's strings end where they should.
func FuzzNames(f *testing.F) {
	f.Add("a\"b", "<&>\x00\x1b\xff")
	f.Add("]]>", "\\")
	f.Add("a\r\nb", "#quot;|")
	f.Fuzz(func(t *testing.T, a, b string) {
		g := &query.Graph{
			Nodes: []query.Element{node("workflow", a, 1, 0), node("capability", b, 1, 0)},
			Edges: []query.Element{{SourceType: "workflow", Source: a, TargetType: "capability", Target: b, Relation: "calls", Count: 1}},
		}
		shapesOf(t, render(t, g, FormatSVG))
		for _, line := range strings.Split(strings.TrimSpace(render(t, g, FormatDOT)), "\n") {
			quoted := regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllString(line, "")
			if strings.ContainsAny(quoted, `"\`) {
				t.Errorf("a string of DOT does not end: %s", line)
			}
		}
		for _, line := range bytes.Split(bytes.TrimSpace([]byte(render(t, g, FormatMermaid))), []byte("\n")) {
			if n := bytes.Count(line, []byte(`"`)); n != 0 && n != 2 {
				t.Errorf("a label of Mermaid does not end: %s", line)
			}
		}
	})
}

// A picture in which much follows much shows the strongest of that, and all calls.
func TestWeakArcsAreLeftOut(t *testing.T) {
	g := &query.Graph{Edges: []query.Element{}}
	for i := range 30 {
		g.Edges = append(g.Edges, edge("workflow:w", fmt.Sprintf("capability:c%02d", i), "calls", 1, 0))
		for j := range 30 {
			g.Edges = append(g.Edges, edge(fmt.Sprintf("capability:c%02d", i), fmt.Sprintf("capability:c%02d", j), "follows", int64(10+i*30+j), 0))
		}
	}
	p := newPicture(g, Fewest)
	calls, arcs, weakest := 0, 0, int64(1_000_000)
	for _, l := range p.links {
		if l.across() {
			calls++
		} else {
			arcs++
			weakest = min(weakest, l.count)
		}
	}
	if calls != 30 || arcs != arcsMax || weakest != 10+900-arcsMax || p.omitted != 900-arcsMax {
		t.Errorf("%d calls, %d arcs, the weakest of %d, %d left out", calls, arcs, weakest, p.omitted)
	}
}
