package embed

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// runMax is how many characters are merged together at most. A text has hardly ever so many in a row that could all be one
// token's; it keeps the time that a text takes proportional to its length.
const runMax = 512

// bpe is byte pair encoding as SentencePiece does it: every character is a token at first, and of all neighbours that may be
// merged those go first whose pair was learnt first. A character without a token becomes its bytes.
type bpe struct {
	prepend  string // to a text
	space    string // in place of ' '
	special  []specialToken
	ascii    [utf8.RuneSelf]uint32 // token of the character, or noToken
	chars    map[rune]uint32       // of others
	bytes    [256]uint32
	unknown  uint32
	fallback bool
	merges   map[pair]merged
	known    knownRuns

	// Characters that stand side by side in some token; between others, no merge happens.
	adjacentASCII [utf8.RuneSelf][utf8.RuneSelf]bool
	adjacent      map[[2]rune]struct{}
}

// specialToken is one that is found in the text as it is.
type specialToken struct {
	text  string
	token uint32
}

type pair struct{ left, right uint32 }

// merged is what a pair becomes; lower ranks go first.
type merged struct{ rank, token uint32 }

func newBPE(t *tokenizerJSON) (*bpe, error) {
	if t.PreTokenizer != nil {
		return nil, fmt.Errorf("a BPE tokenizer that cuts texts beforehand (%s) cannot be used", t.PreTokenizer.Type)
	}
	b := &bpe{
		space: " ", chars: map[rune]uint32{}, fallback: t.Model.ByteFallback, unknown: t.Model.Vocab[t.Model.Unknown],
		merges: make(map[pair]merged, len(t.Model.Merges)), adjacent: map[[2]rune]struct{}{},
	}
	for i := range b.ascii {
		b.ascii[i] = noToken
	}
	if err := b.setNormalizer(t.Normalizer); err != nil {
		return nil, err
	}
	if err := b.setVocabulary(t); err != nil {
		return nil, err
	}
	for _, added := range t.AddedTokens {
		if added.Normalized || added.Content == "" {
			return nil, fmt.Errorf("the added token %q cannot be used", added.Content)
		}
		b.special = append(b.special, specialToken{added.Content, added.ID})
	}
	return b, nil
}

func (b *bpe) setNormalizer(n *normalizerJSON) error {
	if n == nil {
		return nil
	}
	switch n.Type {
	case "Sequence":
		for i := range n.Normalizers {
			if err := b.setNormalizer(&n.Normalizers[i]); err != nil {
				return err
			}
		}
	case "Prepend":
		b.prepend = n.Prepend
	case "Replace":
		if n.Pattern.String != " " {
			return fmt.Errorf("a normalizer that replaces %q cannot be used", n.Pattern.String)
		}
		b.space = n.Content
	default:
		return fmt.Errorf("a normalizer of type %q cannot be used with BPE", n.Type)
	}
	return nil
}

func (b *bpe) setVocabulary(t *tokenizerJSON) error {
	for text, token := range t.Model.Vocab {
		last := rune(-1)
		for _, r := range text {
			if last >= 0 {
				b.setAdjacent(last, r)
			}
			last = r
		}
		switch {
		case utf8.RuneCountInString(text) != 1:
		case last < utf8.RuneSelf:
			b.ascii[last] = token
		default:
			b.chars[last] = token
		}
	}
	for i := range b.bytes {
		token, ok := t.Model.Vocab[fmt.Sprintf("<0x%02X>", i)]
		if b.fallback && !ok {
			return errors.New("it falls back to bytes and has no tokens for all of them")
		}
		b.bytes[i] = token
	}
	for rank, m := range t.Model.Merges {
		left, ok1 := t.Model.Vocab[m[0]]
		right, ok2 := t.Model.Vocab[m[1]]
		token, ok3 := t.Model.Vocab[m[0]+m[1]]
		if !ok1 || !ok2 || !ok3 {
			return fmt.Errorf("merge %d is of tokens that are not in the vocabulary", rank)
		}
		b.merges[pair{left, right}] = merged{uint32(rank), token}
	}
	return nil
}

func (b *bpe) setAdjacent(left, right rune) {
	if left < utf8.RuneSelf && right < utf8.RuneSelf {
		b.adjacentASCII[left][right] = true
	} else {
		b.adjacent[[2]rune{left, right}] = struct{}{}
	}
}

func (b *bpe) areAdjacent(left, right rune) bool {
	if left < utf8.RuneSelf && right < utf8.RuneSelf {
		return b.adjacentASCII[left][right]
	}
	_, ok := b.adjacent[[2]rune{left, right}]
	return ok
}

// char is the token of a character, or noToken.
func (b *bpe) char(r rune) uint32 {
	if r < utf8.RuneSelf {
		return b.ascii[r]
	}
	if token, ok := b.chars[r]; ok {
		return token
	}
	return noToken
}

func (b *bpe) tokenize(text string, tokens []uint32) []uint32 {
	for text != "" {
		at, special := b.findSpecial(text)
		tokens = b.plain(text[:at], tokens)
		if special == nil {
			break
		}
		tokens = append(tokens, special.token)
		text = text[at+len(special.text):]
	}
	return tokens
}

// findSpecial returns where the first special token is, or the end of the text.
func (b *bpe) findSpecial(text string) (at int, found *specialToken) {
	at = len(text)
	for i := range b.special {
		if n := strings.Index(text[:at], b.special[i].text); n >= 0 {
			at, found = n, &b.special[i]
		}
	}
	return at, found
}

// plain tokenizes a text without special tokens, run by run of characters that may become one token.
func (b *bpe) plain(text string, tokens []uint32) []uint32 {
	if text == "" {
		return tokens
	}
	m := merging{bpe: b, tokens: tokens}
	for _, r := range b.prepend {
		m.add(r, "")
	}
	for i, r := range text {
		if r == ' ' {
			for _, s := range b.space {
				m.add(s, "")
			}
			continue
		}
		m.add(r, text[i:i+runeBytes(text[i:], r)])
	}
	return m.end()
}

// runeBytes is the length of the character that text begins with; a byte that is none of UTF-8 counts as one.
func runeBytes(text string, r rune) int {
	if r != utf8.RuneError {
		return utf8.RuneLen(r)
	}
	_, n := utf8.DecodeRuneInString(text)
	return n
}

// merging is a text under way. run holds the tokens that may still become one.
type merging struct {
	*bpe
	tokens []uint32
	text   []byte // of the run
	run    []uint32
	ranks  []merged // of run[i] with run[i+1]
	last   rune
}

// knownRuns remembers what runs become, since most words come again and again. It is used by several goroutines.
type knownRuns struct {
	sync.RWMutex
	tokens map[string][]uint32
}

// Limits of what is remembered: runs, and the bytes of one.
const (
	knownRunsMax     = 1 << 14
	knownRunBytesMax = 32
)

// find appends the tokens of a run.
func (k *knownRuns) find(run []byte, tokens []uint32) ([]uint32, bool) {
	k.RLock()
	defer k.RUnlock()
	found, ok := k.tokens[string(run)]
	return append(tokens, found...), ok
}

// keep remembers a run. When there are too many, all are forgotten; those in use come back.
func (k *knownRuns) keep(run []byte, tokens []uint32) {
	if len(run) > knownRunBytesMax {
		return
	}
	k.Lock()
	defer k.Unlock()
	if k.tokens == nil || len(k.tokens) == knownRunsMax {
		k.tokens = map[string][]uint32{}
	}
	k.tokens[string(run)] = slices.Clone(tokens)
}

// add adds a character with its bytes.
func (m *merging) add(r rune, bytes string) {
	if len(m.run) > 0 && (len(m.run) == runMax || !m.areAdjacent(m.last, r)) {
		m.flush()
	}
	m.last = r
	if token := m.char(r); token != noToken {
		m.run, m.text = append(m.run, token), utf8.AppendRune(m.text, r)
		return
	}
	m.flush()
	if !m.fallback {
		m.tokens = append(m.tokens, m.unknown)
		return
	}
	for i := range len(bytes) {
		m.tokens = append(m.tokens, m.bytes[bytes[i]])
	}
}

func (m *merging) end() []uint32 {
	m.flush()
	return m.tokens
}

// What no token and no rank is.
const (
	noToken = math.MaxUint32 // of a character
	noMerge = math.MaxUint32 // rank of neighbours that do not merge
)

// flush adds what the run becomes to the tokens.
func (m *merging) flush() {
	if len(m.run) > 1 {
		var known bool
		if m.tokens, known = m.known.find(m.text, m.tokens); !known {
			m.merge()
			m.known.keep(m.text, m.run)
			m.tokens = append(m.tokens, m.run...)
		}
	} else {
		m.tokens = append(m.tokens, m.run...)
	}
	m.run, m.text = m.run[:0], m.text[:0]
}

// merge merges what is in the run.
func (m *merging) merge() {
	m.ranks = m.ranks[:0]
	for i := range len(m.run) - 1 {
		m.ranks = append(m.ranks, m.mergeOf(m.run[i], m.run[i+1]))
	}
	for {
		best, at := merged{rank: noMerge}, 0
		for i, r := range m.ranks {
			if r.rank < best.rank {
				best, at = r, i
			}
		}
		if best.rank == noMerge {
			return
		}
		m.mergeAt(at, best.token)
	}
}

// mergeAt puts a token in the place of two.
func (m *merging) mergeAt(at int, token uint32) {
	m.run[at] = token
	m.run = append(m.run[:at+1], m.run[at+2:]...)
	m.ranks = append(m.ranks[:at], m.ranks[at+1:]...)
	if at > 0 {
		m.ranks[at-1] = m.mergeOf(m.run[at-1], token)
	}
	if at < len(m.ranks) {
		m.ranks[at] = m.mergeOf(token, m.run[at+1])
	}
}

func (m *merging) mergeOf(left, right uint32) merged {
	if found, ok := m.merges[pair{left, right}]; ok {
		return found
	}
	return merged{rank: noMerge}
}
