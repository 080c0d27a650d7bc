package embed

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// wordPiece is the tokenizer of BERT, which the models of model2vec have: words and punctuation, each cut into the longest
// parts that the vocabulary has. What it does not know is left out, as model2vec does.
type wordPiece struct {
	vocab        map[string]uint32
	prefix       string // of parts that do not begin a word
	wordMax      int    // characters of a word that is looked up at all
	longest      int    // bytes of the longest token
	lowercase    bool
	stripAccents bool
}

func newWordPiece(t *tokenizerJSON) (*wordPiece, error) {
	n := t.Normalizer
	switch {
	case n == nil || n.Type != "BertNormalizer":
		return nil, errors.New("a WordPiece tokenizer without BERT's normalizer cannot be used")
	case t.PreTokenizer == nil || t.PreTokenizer.Type != "BertPreTokenizer":
		return nil, errors.New("a WordPiece tokenizer that does not cut texts as BERT does cannot be used")
	case t.Model.WordMax < 1:
		return nil, fmt.Errorf("words of %d characters at most cannot be", t.Model.WordMax)
	}
	w := &wordPiece{vocab: t.Model.Vocab, prefix: t.Model.Prefix, wordMax: t.Model.WordMax, lowercase: n.Lowercase, stripAccents: n.Lowercase}
	if n.StripAccents != nil {
		w.stripAccents = *n.StripAccents
	}
	for token := range w.vocab {
		w.longest = max(w.longest, len(token))
	}
	return w, nil
}

func (w *wordPiece) tokenize(text string, tokens []uint32) []uint32 {
	text = w.normalise(text)
	start := -1 // of the word that i is in
	for i, r := range text {
		alone := isPunctuation(r) || isIdeograph(r)
		if start >= 0 && (alone || unicode.IsSpace(r)) {
			tokens = w.word(text[start:i], tokens)
			start = -1
		}
		switch {
		case alone:
			tokens = w.word(text[i:i+utf8.RuneLen(r)], tokens)
		case start < 0 && !unicode.IsSpace(r):
			start = i
		}
	}
	if start >= 0 {
		tokens = w.word(text[start:], tokens)
	}
	return tokens
}

func (w *wordPiece) normalise(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r':
			return ' '
		case r == utf8.RuneError, unicode.In(r, unicode.C):
			return -1
		}
		return r
	}, text)
	if w.stripAccents {
		text = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Mn, r) {
				return -1
			}
			return r
		}, norm.NFD.String(text))
	}
	if w.lowercase {
		text = strings.ToLower(text)
	}
	return text
}

// word adds the parts of a word, none if the vocabulary does not have them all.
func (w *wordPiece) word(word string, tokens []uint32) []uint32 {
	if utf8.RuneCountInString(word) > w.wordMax {
		return tokens
	}
	before := len(tokens)
	for rest, prefix := word, ""; rest != ""; prefix = w.prefix {
		token, length := w.longestPart(prefix, rest)
		if length == 0 {
			return tokens[:before]
		}
		tokens, rest = append(tokens, token), rest[length:]
	}
	return tokens
}

func (w *wordPiece) longestPart(prefix, rest string) (token uint32, length int) {
	for length = min(len(rest), w.longest); length > 0; length-- {
		if length < len(rest) && !utf8.RuneStart(rest[length]) {
			continue
		}
		if token, ok := w.vocab[prefix+rest[:length]]; ok {
			return token, length
		}
	}
	return 0, 0
}

func isPunctuation(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSymbol(r)) || unicode.IsPunct(r)
}

// isIdeograph tells the characters that BERT takes for words: those of the blocks of Chinese.
func isIdeograph(r rune) bool {
	return r >= 0x4E00 && r <= 0x9FFF || r >= 0x3400 && r <= 0x4DBF || r >= 0x20000 && r <= 0x2CEAF || r >= 0xF900 && r <= 0xFAFF ||
		r >= 0x2F800 && r <= 0x2FA1F
}
