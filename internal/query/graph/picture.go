package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"assay/internal/query"
)

// Limits of a picture: more than that nobody can read.
const (
	callersAloneMax = 24  // callers that each have a box of their own, whatever they call
	callersMax      = 48  // boxes
	calleesMax      = 64  // boxes
	linksMax        = 400 // the weakest are left out
	arcsMax         = 80  // of them, those that tell what follows what
	namesMax        = 12  // of those in one box that are listed
)

// kinds of node, callers first.
var kinds = []string{"workflow", "agent", "capability", "model"}

// picture is what is drawn of a graph. A call and its answer are one link.
type picture struct {
	boxes   []*box  // by kind and label
	links   []*link // the weakest first, so that the others are drawn over them
	omitted int     // links left out
}

// box is one rectangle: a node, or several that are drawn as one.
type box struct {
	kind          string
	label         string
	names         []string // of its nodes, sorted
	count, errors int64
	row           float64 // place in its column, in rows from the top
}

// caller tells the column: callers on the left, what they call on the right.
func (b *box) caller() bool { return b.kind == "workflow" || b.kind == "agent" }

// link joins two boxes.
type link struct {
	from, to      *box
	count, errors int64
}

// across reports whether the link is a call; those within a column tell what follows what.
func (l *link) across() bool { return l.from.caller() != l.to.caller() }

// Workflows says how many boxes workflows have, once there are many.
type Workflows int

// Where there are more than callersAloneMax:
const (
	Fewest   Workflows = iota // those that call the same share a box; all do if that leaves too many
	Together                  // all share one
	Apart                     // those that call the same share one
)

func newPicture(g *query.Graph, workflows Workflows) *picture {
	p := &picture{}
	p.add(g)
	if p.count(true) > callersAloneMax && workflows != Together {
		p.group(alike(p.links))
	}
	if p.count(true) > callersAloneMax && workflows != Apart {
		p.group(p.together())
	}
	p.group(p.overflow(true, callersMax, "more callers"))
	p.group(p.overflow(false, calleesMax, "more capabilities"))
	p.sort()
	p.leaveOut()
	place(p)
	return p
}

// add makes a box of each node and a link of each edge.
func (p *picture) add(g *query.Graph) {
	boxes := map[string]*box{}
	at := func(kind, name string) *box {
		key := nodeName(kind, name)
		if boxes[key] == nil {
			boxes[key] = &box{kind: kind, label: name, names: []string{name}}
			p.boxes = append(p.boxes, boxes[key])
		}
		return boxes[key]
	}
	for _, n := range g.Nodes {
		b := at(n.SourceType, n.Source)
		b.count, b.errors = n.Count, n.Errors
	}
	links := map[[2]*box]*link{}
	for _, e := range g.Edges {
		ends := [2]*box{at(e.SourceType, e.Source), at(e.TargetType, e.Target)}
		if !ends[0].caller() && ends[1].caller() { // an answer belongs to its call
			ends[0], ends[1] = ends[1], ends[0]
		}
		l := links[ends]
		if l == nil {
			l = &link{from: ends[0], to: ends[1]}
			links[ends] = l
			p.links = append(p.links, l)
		}
		l.count, l.errors = max(l.count, e.Count), max(l.errors, e.Errors)
	}
}

func (p *picture) count(callers bool) (n int) {
	for _, b := range p.boxes {
		if b.caller() == callers {
			n++
		}
	}
	return n
}

// alike puts callers of one kind that call the same into one group.
func alike(links []*link) map[*box]*box {
	called := map[*box][]string{}
	for _, l := range links {
		if l.across() {
			called[l.from] = append(called[l.from], nodeName(l.to.kind, l.to.label))
		}
	}
	groups, into := map[string]*box{}, map[*box]*box{}
	for caller, names := range called {
		slices.Sort(names)
		signature := caller.kind + "\x00" + strings.Join(names, "\x00")
		if groups[signature] == nil {
			groups[signature] = &box{kind: caller.kind}
		}
		into[caller] = groups[signature]
	}
	return into
}

// together puts all workflows into one group.
func (p *picture) together() map[*box]*box {
	all, into := &box{kind: "workflow"}, map[*box]*box{}
	for _, b := range p.boxes {
		if b.kind == all.kind {
			into[b] = all
		}
	}
	return into
}

// overflow puts the least used of a column into one group where there are more than most.
func (p *picture) overflow(callers bool, most int, label string) map[*box]*box {
	var column []*box
	for _, b := range p.boxes {
		if b.caller() == callers {
			column = append(column, b)
		}
	}
	if len(column) <= most {
		return nil
	}
	slices.SortFunc(column, func(a, b *box) int { return cmp.Or(cmp.Compare(b.count, a.count), byName(a, b)) })
	rest := &box{kind: column[len(column)-1].kind, label: label}
	into := map[*box]*box{}
	for _, b := range column[most-1:] {
		into[b] = rest
	}
	return into
}

// group replaces boxes by those that they go into.
func (p *picture) group(into map[*box]*box) {
	var boxes []*box
	grown := map[*box]bool{}
	for _, b := range p.boxes {
		g := into[b]
		if g == nil {
			boxes = append(boxes, b)
			continue
		}
		g.names, g.count, g.errors = append(g.names, b.names...), g.count+b.count, g.errors+b.errors
		if !grown[g] {
			grown[g] = true
			boxes = append(boxes, g)
		}
	}
	for g := range grown {
		slices.Sort(g.names)
		switch {
		case len(g.names) == 1:
			g.label = g.names[0]
		case g.label == "":
			g.label = fmt.Sprintf("%d %ss", len(g.names), g.kind)
		default:
			g.label = fmt.Sprintf("%d %s", len(g.names), g.label)
		}
	}
	p.boxes = boxes
	p.regroupLinks(into)
}

// regroupLinks moves the ends of links along and adds up those that become one.
func (p *picture) regroupLinks(into map[*box]*box) {
	links := map[[2]*box]*link{}
	var all []*link
	for _, l := range p.links {
		l.from, l.to = cmp.Or(into[l.from], l.from), cmp.Or(into[l.to], l.to)
		ends := [2]*box{l.from, l.to}
		if links[ends] == nil {
			links[ends] = l
			all = append(all, l)
			continue
		}
		links[ends].count += l.count
		links[ends].errors += l.errors
	}
	p.links = all
}

// sort makes the picture of a graph always the same.
func (p *picture) sort() {
	slices.SortFunc(p.boxes, byName)
	slices.SortFunc(p.links, func(a, b *link) int {
		return cmp.Or(cmp.Compare(a.count, b.count), byName(a.from, b.from), byName(a.to, b.to))
	})
}

// leaveOut drops the weakest links where there are too many, what follows what first.
func (p *picture) leaveOut() {
	arcs := 0
	for _, l := range p.links {
		if !l.across() {
			arcs++
		}
	}
	all := len(p.links)
	p.links = slices.DeleteFunc(p.links, func(l *link) bool {
		over := !l.across() && arcs > arcsMax
		if over {
			arcs--
		}
		return over
	})
	p.links = p.links[max(0, len(p.links)-linksMax):]
	p.omitted = all - len(p.links)
}

func byName(a, b *box) int {
	return cmp.Or(cmp.Compare(slices.Index(kinds, a.kind), slices.Index(kinds, b.kind)), cmp.Compare(a.kind, b.kind),
		cmp.Compare(a.label, b.label), slices.Compare(a.names, b.names))
}
