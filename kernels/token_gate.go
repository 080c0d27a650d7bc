package kernels

import (
	"regexp"
	"strconv"
)

// Contract says which tokens of a buffer are disfluencies, to be forgotten: a StreamingDisfluencyContract.
//
// RepairMarker is written for Python's re and searched for as re.search would, with these differences, all due to RE2,
// which in return takes linear time on any input:
//
//   - Lookaround, backreferences, possessive and atomic groups and conditions are ErrPattern, as are counted
//     repetitions above 1000 and patterns beyond the limits of this package.
//   - \b and \B, and the negative classes \W and \S inside brackets, go by ASCII; outside brackets, and in all other
//     respects, classes go by Unicode. {,n} is literal: write {0,n}.
//   - RE2's own \p{…}, \Q…\E, \z and [[:alpha:]] are understood, where Python would report an error or a warning.
type Contract struct {
	DecayThreshold float64 // markers whose key has a lower value are removed; 0 removes none
	RepairMarker   string  // regular expression, matched anywhere in a token
	MaxLookback    int     // how many tokens at the end are examined; none if not positive
}

// PruneTokens removes from a token buffer what the contract calls disfluent: of the last MaxLookback tokens those that
// match RepairMarker and whose key <index>:<token>, index counting from 0 in the whole buffer, has a value below
// DecayThreshold. It returns what is kept, in order, and how many tokens were removed; tokens itself stays as it is.
//
// Errors: ErrPattern, with tokens returned as they are.
func PruneTokens(tokens []string, c Contract) (kept []string, removed int, err error) {
	gate, err := newTokenGate(c)
	if err != nil {
		return tokens, 0, err
	}
	kept = make([]string, 0, len(tokens))
	for i, token := range tokens {
		if !gate.removes(token, i, len(tokens)) {
			kept = append(kept, token)
		}
	}
	return kept, len(tokens) - len(kept), nil
}

// tokenGate is a contract made ready for use by one call.
type tokenGate struct {
	Contract
	marker *regexp.Regexp
	key    []byte
}

func newTokenGate(c Contract) (*tokenGate, error) {
	marker, err := cachedPattern(c.RepairMarker)
	return &tokenGate{Contract: c, marker: marker}, err
}

// removes decides on the token at index of a buffer with size tokens.
func (g *tokenGate) removes(token string, index, size int) bool {
	if g.MaxLookback <= 0 || index < size-g.MaxLookback || !g.marker.MatchString(token) {
		return false
	}
	g.key = strconv.AppendInt(g.key[:0], int64(index), 10)
	g.key = append(g.key, ':')
	g.key = append(g.key, token...)
	return Sheds(Value(g.key), g.DecayThreshold)
}
