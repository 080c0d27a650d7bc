package graph

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"assay/internal/query"
)

// Measures of the picture, in pixels.
const (
	margin      = 28.0
	header      = 64.0 // height of title and legend
	rowHeight   = 30.0
	boxHeight   = 22.0
	boxWidth    = 280.0
	callsWidth  = 330.0  // between the columns
	legendWidth = 1180.0 // which the picture is not narrower than
	arcDepth    = 250.0  // of the widest arc within a column
	lettersMax  = 37     // of name and counts of a box together; the tooltip has the rest
)

// style is that of a picture on its own. A page that a picture is part of has its own for the same classes.
const style = `<style>text{font:12px system-ui,"Segoe UI","DejaVu Sans",sans-serif;fill:#27303a}.n{fill:#5d6875}.e{fill:#c02828}` +
	`.paper{fill:#fbfbfa}.box{fill:#fff}.l{fill:none;stroke-opacity:.5;stroke-linecap:round}.l:hover{stroke-opacity:1}` +
	`@media(prefers-color-scheme:dark){text{fill:#dde3ea}.n{fill:#9aa5b1}.e{fill:#ff8a80}.paper{fill:#14181d}.box{fill:#1d232a}}</style>`

// svg draws callers in a column on the left, what they call on the right, calls between them, and what follows what as arcs
// beside the columns.
func svg(p *picture) []byte {
	d := newDrawing(p)
	d.open()
	fmt.Fprintf(d, "%s\n<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n", style)
	d.draw(p)
	return d.Bytes()
}

// Links are where the boxes of a picture lead to.
type Links struct {
	Node  func(kind, name string) string
	Group string // of a box that stands for several
}

// Inline draws a part of a graph for being put into a page, without style and with links.
func Inline(g *query.Graph, workflows Workflows, links Links) []byte {
	p := newPicture(g, workflows)
	d := newDrawing(p)
	d.links = &links
	d.open()
	d.draw(p)
	return d.Bytes()
}

func (d *drawing) open() {
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %[1]g %[2]g" role="img">`+"\n",
		d.width, d.height)
	d.WriteString("<title>Usage graph</title>\n")
}

func (d *drawing) draw(p *picture) {
	d.legend(p.omitted)
	for _, l := range p.links {
		if l.across() {
			d.call(l)
		} else {
			d.arc(l)
		}
	}
	for _, b := range p.boxes {
		d.box(b)
	}
	d.WriteString("</svg>\n")
}

// drawing is an SVG under construction.
type drawing struct {
	bytes.Buffer
	width, height float64
	left, right   float64 // left edges of the columns
	links         *Links  // nil: boxes lead nowhere
}

func newDrawing(p *picture) *drawing {
	d := &drawing{left: margin, height: header}
	inner, outer := 0.0, 0.0 // room for arcs
	for _, l := range p.links {
		switch {
		case l.across():
		case l.from.caller():
			inner = arcDepth
		default:
			outer = arcDepth
		}
	}
	d.left += inner
	d.right = d.left + boxWidth + callsWidth
	d.width = max(legendWidth, d.right+boxWidth+outer+margin)
	for _, b := range p.boxes {
		d.height = max(d.height, header+(b.row+1)*rowHeight)
	}
	d.height += margin
	return d
}

func (d *drawing) legend(omitted int) {
	x := margin
	for _, kind := range kinds {
		fmt.Fprintf(d, `<rect x="%g" y="18" width="12" height="12" rx="3" fill="%s"/><text x="%g" y="28">%s</text>`+"\n", x, fill(kind), x+18, kind)
		x += 96
	}
	for _, line := range []struct {
		errors int64
		label  string
	}{{0, "calls; thicker is more"}, {1, "few failed"}, {100, "all failed"}} {
		fmt.Fprintf(d, `<path d="M%g 24h26" stroke="%s" stroke-width="4"/><text x="%g" y="28">%s</text>`+"\n",
			x, lineColour(100, line.errors), x+32, line.label)
		x += 60 + 6.2*float64(len(line.label))
	}
	note := "arcs: what follows what"
	if omitted > 0 {
		note += fmt.Sprintf("; %d weaker lines are left out", omitted)
	}
	fmt.Fprintf(d, `<text x="%g" y="28" class="n">%s</text>`+"\n", x, note)
}

// x is the left edge of a box, y the middle of its height.
func (d *drawing) x(b *box) float64 {
	if b.caller() {
		return d.left
	}
	return d.right
}

func (d *drawing) y(b *box) float64 { return header + b.row*rowHeight + rowHeight/2 }

// call draws a line between the columns.
func (d *drawing) call(l *link) {
	from, to := d.left+boxWidth, d.right
	bend := (to - from) / 2
	d.line(l, fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f",
		from, d.y(l.from), from+bend, d.y(l.from), to-bend, d.y(l.to), to, d.y(l.to)), "calls")
}

// arc draws what follows what within a column, on its outer side: out above the middle of a box, in below it.
func (d *drawing) arc(l *link) {
	const port, head = 4.0, 6.0
	edge, outward := d.right+boxWidth, 1.0
	if l.from.caller() {
		edge, outward = d.left, -1.0
	}
	from, to := d.y(l.from)-port, d.y(l.to)+port
	depth := min(arcDepth*4/3, 36+0.42*math.Abs(to-from)) * outward // the curve reaches three quarters of it
	tip := edge + head*outward
	d.line(l, fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", edge, from, edge+depth, from, tip+depth, to, tip, to), "is followed by")
	fmt.Fprintf(d, `<path d="M%.1f %.1fl%.1f -3.5v7z" fill="%s"/>`+"\n", edge, to, head*outward, lineColour(l.count, l.errors))
}

func (d *drawing) line(l *link, path, relation string) {
	fmt.Fprintf(d, `<path class="l" d="%s" stroke="%s" stroke-width="%.1f"><title>%s</title></path>`+"\n", path,
		lineColour(l.count, l.errors), width(l.count),
		escapeXML(fmt.Sprintf("%s %s %s: %d, %d failed", l.from.label, relation, l.to.label, l.count, l.errors)))
}

func (d *drawing) box(b *box) {
	x, y := d.x(b), d.y(b)
	open, end := "<g>", "</g>"
	if d.links != nil {
		to := d.links.Group
		if len(b.names) == 1 {
			to = d.links.Node(b.kind, b.names[0])
		}
		open, end = `<a href="`+escapeXML(to)+`">`, "</a>"
	}
	fmt.Fprintf(d, `%s<title>%s</title><rect class="box" x="%.1f" y="%.1f" width="%g" height="%g" rx="5" stroke="%s"/>`,
		open, escapeXML(b.describe()), x, y-boxHeight/2, boxWidth, boxHeight, fill(b.kind))
	fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="7" height="%g" rx="3" fill="%s"/>`, x, y-boxHeight/2, boxHeight, fill(b.kind))
	counts, class := strconv.FormatInt(b.count, 10), "n"
	if b.errors > 0 {
		counts, class = fmt.Sprintf("%d of %d failed", b.errors, b.count), "e"
	}
	label := shorten(b.label, lettersMax-len(counts))
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f">%s</text>`, x+14, y+4, escapeXML(label))
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="end" class="%s">%s</text>%s`+"\n", x+boxWidth-8, y+4, class, counts, end)
}

// describe is what a box tells when pointed at.
func (b *box) describe() string {
	names := slices.Clone(b.names[:min(len(b.names), namesMax)])
	if more := len(b.names) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%s %s: %d, %d failed", b.kind, strings.Join(names, ", "), b.count, b.errors)
}

// shorten takes characters out of the middle: names that begin alike often differ at their ends.
func shorten(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	tail := most / 3
	return string(runes[:most-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

func escapeXML(s string) string {
	var b bytes.Buffer
	// A bytes.Buffer takes every write.
	_ = xml.EscapeText(&b, []byte(oneLine(s)))
	return b.String()
}
