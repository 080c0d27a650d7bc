// Package graph draws the usage graph: who called what, how often and how well.
package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"assay/internal/view"
)

// Formats of Render.
const (
	FormatJSON    = "json"
	FormatDOT     = "dot"     // Graphviz
	FormatMermaid = "mermaid" // flowchart
	FormatSVG     = "svg"
)

// Render draws g in a format and tells the content type. An unknown format is an error that lists the known ones.
func Render(g *view.Graph, format string) (text []byte, contentType string, err error) {
	switch format {
	case FormatJSON:
		text, err = json.MarshalIndent(g, "", "  ")
		return append(text, '\n'), "application/json", err
	case FormatDOT:
		return dot(g), "text/vnd.graphviz", nil
	case FormatMermaid:
		return mermaid(g), "text/vnd.mermaid", nil
	case FormatSVG:
		return svg(g), "image/svg+xml", nil
	default:
		return nil, "", fmt.Errorf("format %q is none of json, dot, mermaid, svg", format)
	}
}

// nodeName identifies a node by what it is and its name, as edges refer to it.
func nodeName(kind, name string) string { return kind + ":" + name }

// shapes of nodes in DOT, by type.
var shapes = map[string]string{"workflow": "folder", "agent": "oval", "capability": "box", "model": "hexagon"}

func dot(g *view.Graph) []byte {
	var b bytes.Buffer
	b.WriteString("digraph usage {\n  rankdir=LR;\n")
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "  %s [label=%s shape=%s];\n",
			dotQuote(nodeName(n.SourceType, n.Source)), dotQuote(n.Source), shapes[n.SourceType])
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s [label=%s penwidth=%.1f%s];\n",
			dotQuote(nodeName(e.SourceType, e.Source)), dotQuote(nodeName(e.TargetType, e.Target)),
			dotQuote(fmt.Sprintf("%s %d", e.Relation, e.Count)), width(e.Count), dotColour(e))
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func dotColour(e view.Element) string {
	if e.Errors == 0 {
		return ""
	}
	return ` color="` + errorColour + `"`
}

func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", "").Replace(s) + `"`
}

func mermaid(g *view.Graph) []byte {
	var b bytes.Buffer
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	for i, n := range g.Nodes {
		id := fmt.Sprintf("n%d", i)
		ids[nodeName(n.SourceType, n.Source)] = id
		fmt.Fprintf(&b, "  %s[\"%s\"]\n", id, mermaidEscape(n.Source))
	}
	for _, e := range g.Edges {
		from, to := ids[nodeName(e.SourceType, e.Source)], ids[nodeName(e.TargetType, e.Target)]
		label := fmt.Sprintf("%s %d", e.Relation, e.Count)
		if e.Errors > 0 {
			label += fmt.Sprintf(", %d failed", e.Errors)
		}
		fmt.Fprintf(&b, "  %s -->|%s| %s\n", from, label, to)
	}
	return b.Bytes()
}

// mermaidEscape writes the characters that end a label as entities, as Mermaid's syntax has it.
func mermaidEscape(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ", "\r", " ").Replace(s)
}
