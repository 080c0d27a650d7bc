package graph

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"assay/internal/query"
)

// shapes of nodes in DOT, by type.
var shapes = map[string]string{"workflow": "folder", "agent": "oval", "capability": "box", "model": "hexagon"}

// dot writes every node and edge as they are.
func dot(g *query.Graph) []byte {
	var b bytes.Buffer
	b.WriteString("digraph usage {\n  rankdir=LR;\n")
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "  %s [label=%s shape=%s color=\"%s\"];\n", dotQuote(nodeName(n.SourceType, n.Source)), dotQuote(n.Source),
			cmp.Or(shapes[n.SourceType], "box"), fill(n.SourceType))
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s [label=%s penwidth=%.1f color=\"%s\"];\n",
			dotQuote(nodeName(e.SourceType, e.Source)), dotQuote(nodeName(e.TargetType, e.Target)),
			dotQuote(fmt.Sprintf("%s %d", e.Relation, e.Count)), width(e.Count), lineColour(e.Count, e.Errors))
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// nodeName identifies a node by what it is and its name, as edges refer to it.
func nodeName(kind, name string) string { return kind + ":" + name }

// dotQuote makes a string of DOT: quotes and backslashes are escaped, and ampersands, which begin an entity in labels.
// Control characters, which no label shows, are not passed on.
func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(oneLine(s)) + `"`
}

// oneLine makes a name fit for a label: spaces for control characters, and what is not UTF-8 replaced.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
