package embed

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// tokenizer cuts a text into tokens, which it appends to those given.
type tokenizer interface {
	tokenize(text string, tokens []uint32) []uint32
}

// tokenizerJSON is what is needed of a tokenizer.json, as the library `tokenizers` of Hugging Face writes it.
type tokenizerJSON struct {
	AddedTokens []struct {
		ID         uint32 `json:"id"`
		Content    string `json:"content"`
		Normalized bool   `json:"normalized"`
	} `json:"added_tokens"`
	Normalizer   *normalizerJSON `json:"normalizer"`
	PreTokenizer *struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
	Model struct {
		Type         string            `json:"type"`
		Unknown      string            `json:"unk_token"`
		ByteFallback bool              `json:"byte_fallback"`
		Prefix       string            `json:"continuing_subword_prefix"`
		WordMax      int               `json:"max_input_chars_per_word"`
		Vocab        map[string]uint32 `json:"vocab"`
		Merges       []merge           `json:"merges"`
	} `json:"model"`
}

type normalizerJSON struct {
	Type        string           `json:"type"`
	Normalizers []normalizerJSON `json:"normalizers"` // of a Sequence
	Prepend     string           `json:"prepend"`
	Content     string           `json:"content"`
	Pattern     struct {
		String string `json:"String"`
	} `json:"pattern"`
	Lowercase    bool  `json:"lowercase"`
	StripAccents *bool `json:"strip_accents"` // null: as Lowercase
}

// merge is a pair of tokens that become one: "a b", or ["a","b"] in newer files.
type merge [2]string

func (m *merge) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[2]string)(m))
	}
	var pair string
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	var ok bool
	if m[0], m[1], ok = strings.Cut(pair, " "); !ok {
		return fmt.Errorf("%q is no pair of tokens", pair)
	}
	return nil
}

// parseTokenizer understands the two kinds that static models come with, and refuses what it would only get about right.
func parseTokenizer(described []byte) (tokenizer, error) {
	var t tokenizerJSON
	if err := json.Unmarshal(described, &t); err != nil {
		return nil, err
	}
	if len(t.Model.Vocab) == 0 {
		return nil, errors.New("it has no vocabulary")
	}
	switch t.Model.Type {
	case "BPE":
		return newBPE(&t)
	case "WordPiece":
		return newWordPiece(&t)
	default:
		return nil, fmt.Errorf("a tokenizer of type %q; BPE of SentencePiece and WordPiece of BERT can be used", t.Model.Type)
	}
}
