package graph

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// mermaid writes the picture as a flowchart: Mermaid refuses to draw more than 500 links and 50,000 characters, unless
// configured otherwise.
func mermaid(p *picture) []byte {
	var b bytes.Buffer
	b.WriteString("flowchart LR\n")
	ids := map[*box]string{}
	for i, n := range p.boxes {
		ids[n] = fmt.Sprintf("n%d", i)
		fmt.Fprintf(&b, "  %s[\"%s\"]:::%s\n", ids[n], mermaidEscape(n.label), mermaidClass(n.kind))
	}
	for _, l := range p.links {
		label := strconv.FormatInt(l.count, 10)
		if l.errors > 0 {
			label += fmt.Sprintf(", %d failed", l.errors)
		}
		arrow := "-->"
		if !l.across() {
			arrow = "-.->"
		}
		fmt.Fprintf(&b, "  %s %s|%s| %s\n", ids[l.from], arrow, label, ids[l.to])
	}
	for i, l := range p.links {
		if l.errors > 0 {
			fmt.Fprintf(&b, "  linkStyle %d stroke:%s\n", i, lineColour(l.count, l.errors))
		}
	}
	for _, kind := range kinds {
		fmt.Fprintf(&b, "  classDef %s stroke:%s\n", kind, fill(kind))
	}
	return b.Bytes()
}

func mermaidClass(kind string) string {
	if _, known := fills[kind]; known {
		return kind
	}
	return "capability"
}

// mermaidEscape writes the characters that end a label, or begin markup in it, as entities, as Mermaid's syntax has it.
func mermaidEscape(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;").Replace(oneLine(s))
}
