package model

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/kernels"
)

// Kinds of episodes.
const (
	EpisodeMessage     = "message"     // what a model said
	EpisodeToolCall    = "tool_call"   // what was asked of a tool
	EpisodeToolResult  = "tool_result" // what it answered
	EpisodeObservation = "observation" // what an agent observed
	EpisodeError       = "error"       // why something failed, where nothing else says it
)

// EpisodeRunes is the length in characters at which long texts are cut into chunks.
const EpisodeRunes = 2000

// Episode is a piece of text worth finding again.
type Episode struct {
	Kind, Text string
	Chunk      int64 // among those of the entity, from 0
}

// EpisodeID names the chunk of an entity, so that a text which grows replaces its own beginnings.
func EpisodeID(namespace, entity uuid.UUID, chunk int64) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("episodes", entity.String(), strconv.FormatInt(chunk, 10)))
}

// Episodes returns what of an entity is worth finding again, in order. failure is why it failed, "" if it did not.
func (c *Content) Episodes(failure string) (found []Episode) {
	if c.isAnswer() {
		return nil
	}
	add := func(kind, text string) {
		for _, chunk := range chunks(text) {
			found = append(found, Episode{kind, chunk, int64(len(found))})
		}
	}
	for _, p := range c.parts {
		switch {
		case p.speaks():
			add(EpisodeMessage, p.String())
		case p.kind == bronze.FragmentToolCall && (p.id == "" || p.tool == ""): // others are entities of their own
			add(EpisodeToolCall, strings.TrimSpace(p.tool+" "+p.String()))
		}
	}
	for _, b := range []*Body{&c.Request, &c.Result} {
		if kind := b.episode(); kind != "" {
			add(kind, b.Text)
		}
	}
	if why := chunks(failure); len(why) > 0 && !slices.ContainsFunc(found, func(e Episode) bool { return strings.Contains(e.Text, why[0]) }) {
		add(EpisodeError, failure)
	}
	return found
}

// isAnswer tells whether the entity is a call that Assay itself has answered, or repeats such an answer.
func (c *Content) isAnswer() bool {
	for _, b := range []*Body{&c.Request, &c.Result} {
		if bronze.IsAnswer(b.Payload) || bronze.IsAnswer(b.Text) {
			return true
		}
	}
	return slices.ContainsFunc(c.parts, func(p *part) bool { return bronze.IsAnswer(p.String()) })
}

// episode returns the kind of episode that the text of an event is, "" if it is none.
func (b *Body) episode() string {
	switch b.kind {
	case bronze.KindChatMessage:
		return EpisodeMessage
	case bronze.KindRPCRequest, bronze.KindToolInvocation, bronze.KindToolCall, bronze.KindToolCallEcho:
		return EpisodeToolCall
	case bronze.KindRPCResponse, bronze.KindRPCError, bronze.KindToolResult, bronze.KindToolResultEcho:
		return EpisodeToolResult
	case "", bronze.KindRPCNotification, bronze.KindRPCProgress, bronze.KindPromotion, bronze.KindModelRequest:
		return ""
	default:
		return EpisodeObservation
	}
}

// chunks cuts a text into pieces of at most EpisodeRunes characters, at white space where the second half of a piece
// has some. A blank text has none.
func chunks(text string) (pieces []string) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		end := chunkEnd(text)
		pieces = append(pieces, strings.TrimSpace(text[:end]))
		text = text[end:]
	}
	return pieces
}

// chunkEnd returns where the first chunk of a text ends.
func chunkEnd(text string) int {
	runes, space := 0, 0
	for i, r := range text {
		if runes == EpisodeRunes {
			if space > 0 {
				return space
			}
			return i
		}
		if runes++; runes > EpisodeRunes/2 && unicode.IsSpace(r) {
			space = i + utf8.RuneLen(r)
		}
	}
	return len(text)
}
