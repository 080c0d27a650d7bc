package pages

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden files anew")

// void are the elements without an end.
var void = []string{"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}

// outline is the tree of a page without its texts: tags, and the names of their attributes. It fails where tags do not match.
func outline(t *testing.T, page, text string) (lines []string) {
	t.Helper()
	var open []string
	ids := map[string]bool{}
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) || len(open) > 0 {
				t.Errorf("%s: ends with %v, open %v", page, z.Err(), open)
			}
			return lines
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			var names []string
			for _, a := range token.Attr {
				names = append(names, a.Key)
				checkAttribute(t, page, token.Data, a)
				if a.Key == "id" && ids[a.Val] {
					t.Errorf("%s: two elements %q", page, a.Val)
				}
				ids[a.Val] = ids[a.Val] || a.Key == "id"
			}
			lines = append(lines, fmt.Sprint(strings.Repeat(" ", len(open)), token.Data, names))
			if token.Type == html.StartTagToken && !slices.Contains(void, token.Data) {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			token := z.Token()
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("%s: </%s> closes %v", page, token.Data, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// checkAttribute fails for what the policy would refuse, and for links that leave the server.
func checkAttribute(t *testing.T, page, tag string, a html.Attribute) {
	t.Helper()
	switch {
	case strings.HasPrefix(a.Key, "on"), a.Key == "style":
		t.Errorf("%s: <%s> has %s", page, tag, a.Key)
	case a.Key == "href" || a.Key == "xlink:href" || a.Key == "src" || a.Key == "action":
		if !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "?") || strings.HasPrefix(a.Val, "//") {
			t.Errorf("%s: <%s> leads to %q", page, tag, a.Val)
		}
	}
}

// hostile is what agents may write, in any field.
var hostile = []string{
	`<script>window.pwned=1</script>`,
	`"><img src=x onerror="window.pwned=1">`,
	`'><svg onload='window.pwned=1'>`,
	`</title></textarea></style></script><script>window.pwned=1</script>`,
	`javascript:window.pwned=1//`,
	`//evil.example/x`,
	"{{.}}{{template \"head\"}}",
	"<!--", "]]>", "&lt;script&gt;&#60;script&#62;",
	"\u202e\u2066<b>\u0000\u0008",
	"\xff\xfe<i>\xc0\xaf",
	`" autofocus onfocus="window.pwned=1`,
	`` + "`${window.pwned=1}`" + ` \"};window.pwned=1;{\"`,
	`<iframe srcdoc="<script>parent.pwned=1</script>">`,
	`<a href="javascript:window.pwned=1">x</a><base href="//evil.example/"><meta http-equiv=refresh content=0>`,
}

// What agents wrote is text on every page: the page's tree is what it is for harmless words.
func TestHostileWordsAreText(t *testing.T) {
	harmless := serveBook(newBook())
	want := map[string][]string{}
	for _, target := range allPages {
		want[target] = outline(t, target, get(t, harmless, target).Body.String())
	}
	for _, word := range hostile {
		b := newBook()
		b.word = func(field string) string { return field + word } // so that what differs goes on to differ
		h := serveBook(b)
		for _, target := range allPages {
			named := target
			for _, name := range []string{"read_file", "wf-1", "model-1", "provider"} {
				named = strings.ReplaceAll(named, "="+name, "="+url.QueryEscape(b.word(name)))
			}
			got := outline(t, target, get(t, h, named).Body.String())
			if !slices.Equal(got, want[target]) {
				t.Errorf("%s with %q has another tree:\n%s", target, word, difference(got, want[target]))
			}
		}
	}
}

// allPages are the pages and what else is HTML.
var allPages = append(slices.Clone(everyPage), "/export?id=wf-1", "/workflow?id=none", "/nothing")

func difference(got, want []string) string {
	for i := range got {
		if i >= len(want) || got[i] != want[i] {
			return strings.Join(got[max(0, i-3):min(len(got), i+3)], "\n")
		}
	}
	return "it ends too early"
}

func TestGolden(t *testing.T) {
	h := serveBook(newBook())
	for name, target := range map[string]string{
		"overview": "/", "workflows": "/workflows", "workflow": "/workflow?id=wf-1", "timeline": "/workflow?id=wf-1&view=timeline",
		"item": "/item?id=00000000-0000-5000-8000-000000000002", "recall": "/recall?q=path", "capabilities": "/capabilities", "graph": "/graph",
		"promotions": "/promotions", "promotion": "/promotion?id=p2", "dead": "/dead", "audit": "/audit", "calls": "/calls?capability=model-1&from=2026-03-02T10:00&to=2026-03-02T12:00", "event": "/event?id=ev-1", "forget": "/forget?id=wf-1",
		"fleet": "/fleet", "login": "/login?refused=1", "error": "/workflow?id=none",
	} {
		file, got := filepath.Join("testdata", name+".html"), get(t, h, target).Body.String()
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != got {
			t.Errorf("%s differs from %s, error %v; go test -update writes it anew", target, file, err)
		}
	}
}

// Every field has a name, every picture a label, every table heads.
func TestLabels(t *testing.T) {
	h := serveBook(newBook())
	for _, target := range everyPage {
		root, err := html.Parse(get(t, h, target).Body)
		if err != nil {
			t.Fatal(err)
		}
		headings := 0
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			switch n.Data {
			case "h1":
				headings++
			case "input", "select":
				if attribute(n, "type") != "hidden" && attribute(n, "aria-label") == "" && !inside(n, "label") {
					t.Errorf("%s: <%s name=%q> has no label", target, n.Data, attribute(n, "name"))
				}
			case "svg":
				if attribute(n, "aria-hidden") == "" && (attribute(n, "role") != "img" || attribute(n, "aria-label") == "" && !has(n, "title")) {
					t.Errorf("%s: a picture has no label", target)
				}
			case "th":
				if attribute(n, "scope") == "" {
					t.Errorf("%s: <th> has no scope", target)
				}
			case "a", "button":
				if words(n) == "" && attribute(n, "aria-label") == "" {
					t.Errorf("%s: <%s> says nothing", target, n.Data)
				}
			}
		}
		if headings != 1 {
			t.Errorf("%s: %d headings", target, headings)
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func inside(n *html.Node, tag string) bool {
	for a := range n.Ancestors() {
		if a.Data == tag {
			return true
		}
	}
	return false
}

func has(n *html.Node, tag string) bool {
	for d := range n.Descendants() {
		if d.Data == tag {
			return true
		}
	}
	return false
}

func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

// A page of a workflow is sent at once, however large the workflow and its texts.
func TestPagesAreBounded(t *testing.T) {
	const most = 500_000
	for _, text := range []string{"x", `{"<&>":"\"'"}`, strings.Repeat("<\"&'>", 20_000), `{"a":` + strings.Repeat(`[`, 200) + strings.Repeat(`]`, 200) + `}`} {
		b := newBook()
		b.turns, b.word = 10_000, func(field string) string {
			if field == "stream" { // an id, which the log bounds
				return field
			}
			return text
		}
		h := serveBook(b)
		for _, target := range []string{"/workflow?id=w", "/workflow?id=w&view=timeline", "/workflow?id=w&cursor=9900", "/workflows", "/recall?q=x", "/", "/calls", "/calls?capability=m"} {
			if answer := get(t, h, target); answer.Code != http.StatusOK || answer.Body.Len() > most {
				t.Errorf("%s with %.20q: %d, %d bytes", target, text, answer.Code, answer.Body.Len())
			}
		}
	}
}

// Text can be read on whatever it stands, in either scheme.
func TestContrast(t *testing.T) {
	css, err := assetFiles.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), -1)
	if len(schemes) != 2 {
		t.Fatalf("%d schemes", len(schemes))
	}
	for i, scheme := range schemes {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(scheme[1], -1) {
			colours[m[1]] = m[2]
		}
		for _, ground := range []string{"paper", "card", "sunken"} {
			for _, ink := range []string{"ink", "muted", "link", "bad", "good", "warn", "user", "model", "tool"} {
				if c := contrast(t, colours[ink], colours[ground]); c < 4.5 {
					t.Errorf("scheme %d: %s on %s has contrast %.2f", i, ink, ground, c)
				}
			}
			for _, mark := range []string{"failed", "focus"} { // WCAG 1.4.11: of what is no text
				if c := contrast(t, colours[mark], colours[ground]); c < 3 {
					t.Errorf("scheme %d: %s on %s has contrast %.2f", i, mark, ground, c)
				}
			}
		}
	}
}
