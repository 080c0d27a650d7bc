package pages

import (
	"slices"

	"assay/internal/query"
)

// strand is what one agent said and did in a row: the main agent, whose strands have no name, or one that works for it.
type strand struct {
	Agent  string
	Turns  []turn
	Failed int // of the turns
}

// Open reports whether a strand is shown without being asked for.
func (s *strand) Open() bool { return s.Failed > 0 || len(s.Turns) <= foldedTurns }

// statusError is that of what failed.
const statusError = "error"

// foldedTurns is how many turns of a sub-agent are shown without being asked for.
const foldedTurns = 12

// mainAgent is the agent whose conversation it is: the one that answers first, "" if it has no name.
func mainAgent(turns []query.Turn) string {
	i := slices.IndexFunc(turns, func(t query.Turn) bool { return t.Speaker == query.SpeakerAssistant })
	if i < 0 {
		return ""
	}
	return turns[i].AgentID
}

// strands tells apart what sub-agents said and did: those agents besides the main one that speak themselves. Some work at the same
// time, so what each of them did until the main agent goes on is read in one piece.
func strands(turns []turn, main string) (all []strand) {
	speaks := map[string]bool{}
	for i := range turns {
		t := &turns[i]
		speaks[t.AgentID] = speaks[t.AgentID] || t.Speaker == query.SpeakerAssistant
	}
	since := 0 // the main agent's last strand
	for _, t := range turns {
		agent := t.AgentID
		if agent == main || !speaks[agent] {
			agent = ""
		}
		i := len(all) - 1
		switch {
		case agent != "":
			i = since + slices.IndexFunc(all[since:], func(s strand) bool { return s.Agent == agent })
		case i >= 0 && all[i].Agent != "":
			i = -1
		}
		if i < since || len(all) == 0 {
			i = len(all)
			all = append(all, strand{Agent: agent})
		}
		if agent == "" {
			since = i
		}
		all[i].Turns = append(all[i].Turns, t)
		if t.Status == statusError {
			all[i].Failed++
		}
	}
	return all
}
