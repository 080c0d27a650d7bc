package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Briefing is what an agent needs to go on with a workflow, within a number of tokens: what it is for, what was decided, what waits
// for an answer, what failed, and what was said last. It is a function of what is recorded; no model has a part in it.
type Briefing struct {
	WorkflowID   string   `json:"workflow_id"`
	Title        string   `json:"title,omitempty"`
	Goal         string   `json:"goal,omitempty"` // what a user said first
	Decisions    []string `json:"decisions,omitempty"`
	OpenCalls    []string `json:"open_calls,omitempty"`
	Errors       []string `json:"errors,omitempty"`        // the last ones, oldest first
	Conversation []string `json:"conversation,omitempty"`  // the last turns, oldest first
	Left         int64    `json:"entities_left,omitempty"` // turns of the workflow that did not fit
}

// Limits of a briefing.
const (
	DefaultBudget  = 2_000 // tokens
	minBudget      = 200
	maxBudget      = 200_000
	headingTokens  = 60 // what String adds
	briefingPages  = 5  // of maxTurnPage turns, from the end back, that are looked at
	briefingErrors = 5
	briefingOpen   = 10
	briefingPlans  = 10
)

// Tokens estimates how many tokens a text is, rather too many than too few: English has more than four bytes a token, JSON about three.
func Tokens(text string) int { return (len(text) + 2) / 3 }

// CutTokens cuts a text to a number of tokens.
func CutTokens(text string, tokens int) string {
	if Tokens(text) <= tokens {
		return text
	}
	end := max(0, tokens*3-len("…"))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// Brief makes the briefing of a workflow of at most that many tokens, DefaultBudget for 0. Errors are those of the View, or ErrRequest.
func Brief(ctx context.Context, v WorkflowView, workflow string, tokens int) (*Briefing, error) {
	if tokens == 0 {
		tokens = DefaultBudget
	}
	if tokens < minBudget || tokens > maxBudget {
		return nil, fmt.Errorf("%w: the budget must be %d to %d tokens", ErrRequest, minBudget, maxBudget)
	}
	first, err := v.Conversation(ctx, workflow, ConversationRequest{Limit: titleTurns})
	if err != nil {
		return nil, err
	}
	b := &Briefing{WorkflowID: workflow}
	if first.Summary != nil {
		b.Title = first.Summary.Title
	}
	left := tokens - headingTokens - Tokens(workflow) - Tokens(b.Title)
	if i := slices.IndexFunc(first.Turns, func(t Turn) bool { return t.Speaker == SpeakerUser }); i >= 0 {
		b.Goal = CutTokens(first.Turns[i].Text, left/4)
		left -= Tokens(b.Goal)
	}
	latest, err := latestTurns(ctx, v, workflow)
	if err != nil {
		return nil, err
	}
	share := left / 5
	b.Decisions = take(latest, briefingPlans, share, &left, decides)
	b.OpenCalls = take(latest, briefingOpen, share, &left, func(t *Turn) bool { return t.Speaker == SpeakerCall && t.Status == statusOpen })
	b.Errors = take(latest, briefingErrors, share, &left, func(t *Turn) bool { return t.Error != "" })
	b.Conversation = take(latest, len(latest), left, &left, says)
	said := 0
	for i := range latest {
		if says(&latest[i]) {
			said++
		}
	}
	b.Left = int64(said - len(b.Conversation))
	return b, nil
}

// titleTurns is how far from its beginning a workflow's goal is looked for.
const titleTurns = 64

// latestTurns returns the last turns, the last one first.
func latestTurns(ctx context.Context, v WorkflowView, workflow string) (turns []Turn, err error) {
	request := ConversationRequest{Backward: true, Limit: DefaultTurns}
	for range briefingPages {
		page, err := v.Conversation(ctx, workflow, request)
		if err != nil {
			return nil, err
		}
		turns = append(turns, page.Turns...)
		if request.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	return turns, nil
}

// take returns, oldest first, up to n of the latest turns that fit a share of what is left, each on one line. No turn gets more than a
// third of the share, so that one long answer does not leave out all others.
func take(latest []Turn, n, share int, left *int, wanted func(*Turn) bool) (lines []string) {
	share = min(share, *left)
	for i := range latest {
		if len(lines) == n {
			break
		}
		if !wanted(&latest[i]) {
			continue
		}
		line := CutTokens(latest[i].line(), max(share/3, minBudget/10))
		cost := Tokens(line) + 1
		if cost > share {
			break
		}
		share, *left = share-cost, *left-cost
		lines = append(lines, line)
	}
	slices.Reverse(lines)
	return lines
}

func says(t *Turn) bool {
	return t.Speaker != SpeakerSystem && (t.Text != "" || t.Answer != "" || t.Error != "" || len(t.Asks) > 0)
}

// decides tells whether a turn is a decision: knowledge that was promoted, a state that was entered, a plan.
func decides(t *Turn) bool {
	kind := strings.ToLower(t.Kind)
	for _, word := range []string{"promotion", "statetransition", "state_transition", "decision", "plan", "retraction"} {
		if strings.Contains(kind, word) {
			return true
		}
	}
	return false
}

// line is a turn on one line.
func (t *Turn) line() string {
	words := []string{t.At().UTC().Format("2006-01-02 15:04:05"), strings.Join(t.heading(), " ") + ":"}
	if t.Error != "" { // first, since the end may be cut off
		words = append(words, "!", t.Error)
	}
	if t.Speaker == SpeakerCall {
		words = append(words, t.Arguments)
		if t.Answer != "" {
			words = append(words, "→", t.Answer)
		}
	} else if t.Text != t.Error {
		words = append(words, t.Text)
	}
	for _, call := range t.Asks {
		words = append(words, "→", call.Name, call.Arguments)
	}
	return Printable(strings.Join(strings.Fields(strings.Join(words, " ")), " "))
}

// String is the briefing for people and models.
func (b *Briefing) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "workflow %s", b.WorkflowID)
	if b.Title != "" {
		fmt.Fprintf(&out, ": %s", b.Title)
	}
	out.WriteString("\n")
	if b.Goal != "" {
		fmt.Fprintf(&out, "\ngoal\n%s\n", Printable(b.Goal))
	}
	for _, part := range []struct {
		name  string
		lines []string
	}{
		{"decisions", b.Decisions}, {"calls that wait for an answer", b.OpenCalls}, {"errors", b.Errors}, {"said and done last", b.Conversation},
	} {
		if len(part.lines) > 0 {
			fmt.Fprintf(&out, "\n%s\n- %s\n", part.name, strings.Join(part.lines, "\n- "))
		}
	}
	return out.String()
}
