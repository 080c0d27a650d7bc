package graph

import (
	"encoding/json"
	"fmt"

	"assay/internal/query"
)

// Formats of Render.
const (
	FormatJSON    = "json"
	FormatDOT     = "dot"     // Graphviz
	FormatMermaid = "mermaid" // flowchart
	FormatSVG     = "svg"
)

// Render draws g in a format and tells the content type. JSON and DOT hold the whole graph; Mermaid and SVG show a picture of
// bounded size, in which callers that call the same share a box. An unknown format is an error that lists the known ones.
func Render(g *query.Graph, format string) (text []byte, contentType string, err error) {
	switch format {
	case FormatJSON:
		text, err = json.MarshalIndent(g, "", "  ")
		return append(text, '\n'), "application/json", err
	case FormatDOT:
		return dot(g), "text/vnd.graphviz", nil
	case FormatMermaid:
		return mermaid(newPicture(g, Fewest)), "text/vnd.mermaid", nil
	case FormatSVG:
		return svg(newPicture(g, Fewest)), "image/svg+xml", nil
	default:
		return nil, "", fmt.Errorf("format %q is none of json, dot, mermaid, svg", format)
	}
}
