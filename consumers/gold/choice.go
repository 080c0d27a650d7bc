package gold

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"assay/consumers/bronze"
)

// choice is one of several answers that a model was asked for at once.
type choice struct {
	Choice       int        `json:"choice"`
	Text         string     `json:"text"`
	FinishReason string     `json:"finish_reason,omitempty"`
	ToolCalls    []toolCall `json:"tool_calls,omitempty"`
}

// several tells whether a message has more than one choice: each but the first says how it ended.
func (c *content) several() bool {
	return slices.ContainsFunc(c.parts, func(p *part) bool { return p.kind == bronze.FragmentFinish })
}

// number is the choice that a part belongs to.
func (p *part) number() int {
	first, _, _ := strings.Cut(p.name, "/")
	n, _ := strconv.Atoi(first) // a name without a number is the first choice's
	return n
}

// inOrder returns the parts of a message: of several choices those of the first one first.
func (c *content) inOrder() []*part {
	if !c.several() {
		return c.parts
	}
	ordered := slices.Clone(c.parts)
	slices.SortStableFunc(ordered, func(p, q *part) int { return cmp.Compare(p.number(), q.number()) })
	return ordered
}

// choices returns the choices of a message that has several, nil of any other. finish is why the first ended.
func (c *content) choices(finish string) (all []choice) {
	if !c.several() {
		return nil
	}
	for _, p := range c.inOrder() {
		if len(all) == 0 || all[len(all)-1].Choice != p.number() {
			all = append(all, choice{Choice: p.number()})
		}
		if p.number() == 0 {
			all[0].FinishReason = finish
		}
		last := &all[len(all)-1]
		switch {
		case p.speaks():
			last.Text += p.String()
		case p.kind == bronze.FragmentFinish:
			last.FinishReason = p.String()
		case p.kind == bronze.FragmentToolCall:
			last.ToolCalls = append(last.ToolCalls, p.toolCall())
		}
	}
	return all
}
