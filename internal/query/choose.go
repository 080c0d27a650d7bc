package query

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"unicode/utf8"
)

// What is found is not yet what helps: of texts that say the same again one is shown, what has neither a word nor a meaning in
// common with the query is not, and the answer ends where the reader's budget does.

// Limits of choosing.
const (
	// foundShare is how many hits are looked at for one that is wanted, where some are repetitions, though the store leaves out most.
	foundShare = 4
	// budgetHits is how many hits a budget may be filled with.
	budgetHits = 50
	// tokenBytes is how long a token of text is on average, about.
	tokenBytes = 4
	// cutTokens is the least that a hit is cut to where a budget has no room for all of it.
	cutTokens = 64
	// alike is the share of runs of three words that two texts have in common from which on one repeats the other.
	alike       = 0.85
	runWords    = 3
	maxRunWords = 2_000 // words that are looked at
)

// choose looks through the hits until there are as many as were asked for.
func (l *Local) choose(ctx context.Context, request RecallRequest) ([]Hit, error) {
	q, err := l.question(ctx, request)
	if err != nil {
		return nil, err
	}
	c := choice{limit: clamp(request.Limit, DefaultHits, maxHits), tokens: request.BudgetTokens, floor: l.floor(request.Query)}
	if request.BudgetTokens > 0 && request.Limit == 0 {
		c.limit = budgetHits
	}
	q.Limit, q.Page = c.limit*foundShare, c.limit
	for h, err := range l.find(ctx, q) {
		if err != nil {
			return nil, err
		}
		if c.consider(&h); c.full {
			break
		}
	}
	return c.hits, nil
}

// floor is the similarity from which on the embedder's vectors mean something for a query.
func (l *Local) floor(query string) float64 {
	if model, ok := l.Embedder.(interface{ Floor(query string) float64 }); ok {
		return model.Floor(query)
	}
	return -1
}

// choice is an answer in the making.
type choice struct {
	limit  int
	tokens int // left of the budget; 0 where there is none
	floor  float64
	hits   []Hit
	runs   [][]uint64 // of each hit's text
	full   bool
}

func (c *choice) consider(h *Hit) {
	if h.TextRank == 0 && h.Similarity < c.floor {
		return
	}
	runs := runsOf(h.Text)
	for i := range c.hits {
		if share(runs, c.runs[i]) >= alike {
			c.hits[i].Repeats++
			return
		}
	}
	if c.full = c.full || !c.afford(h); c.full {
		return
	}
	c.hits, c.runs = append(c.hits, *h), append(c.runs, runs)
	c.full = len(c.hits) == c.limit
}

// afford takes a hit from the budget, cut to what is left of it, and reports whether there was room.
func (c *choice) afford(h *Hit) bool {
	if c.tokens == 0 {
		return true
	}
	need := (len(h.Text) + tokenBytes - 1) / tokenBytes
	if need >= c.tokens {
		if c.tokens < cutTokens && len(c.hits) > 0 {
			return false
		}
		h.Text, h.Cut = cutAt(h.Text, c.tokens*tokenBytes), need > c.tokens
		c.tokens = -1 // spent
		return true
	}
	c.tokens -= need
	return c.tokens > 0
}

// cutAt cuts a text to so many bytes, between characters.
func cutAt(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	for bytes > 0 && !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes]
}

var runSeed = maphash.MakeSeed()

// runsOf hashes every run of words of a text, sorted; that of a shorter text is one.
func runsOf(text string) []uint64 {
	words := strings.Fields(strings.ToLower(text))
	words = words[:min(len(words), maxRunWords)]
	var runs []uint64
	for i := 0; i == 0 || i+runWords <= len(words); i++ {
		runs = append(runs, maphash.String(runSeed, strings.Join(words[i:min(i+runWords, len(words))], " ")))
	}
	slices.Sort(runs)
	return slices.Compact(runs)
}

// share is how much of all that two sorted lists hold is in both.
func share(a, b []uint64) float64 {
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			both, i, j = both+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
