package model

import (
	"crypto/sha1"
	"strings"

	"github.com/google/uuid"

	"assay/kernels"
)

// What a model has answered comes again as part of each later request. Where the answer itself is known, these echoes say
// nothing new: they are hidden, being neither messages nor episodes. Where it is not, the echo is all there is, and a message. What
// telemetry tells of an answer that is known itself, as a program that is traced and talks through the proxy has it, is an echo, too: that call
// of the model, and its tokens, count once.
//
// Who says the same is found by a digest of workflow and text. The text of an answer is complete only once it is stored, so
// what the group's entities say is noted after its commit, in one of its own; what is still to be noted is part of the first,
// so that nothing is missed.
//
//	commit: entities, and under keyUnsaid those that said something ─► second commit: keySaid, echoes hidden or shown
const (
	ByAnswer = 'a'
	ByEcho   = 'e'
)

// Limits of utterances.
const (
	SaidLen   = 16 // bytes of a digest
	saidParts = 64 // parts of an answer that are looked for one by one
)

// utterance is the digest of what was said in a workflow, white space apart, which is joined differently by everybody.
func utterance(workflow, text string) string {
	sum := sha1.Sum([]byte(kernels.JoinStrings(kernels.NormaliseString(workflow, false), strings.Join(strings.Fields(text), ""))))
	return string(sum[:SaidLen])
}

// SaidKey is the key that says who has said something: an answer (ByAnswer) or an echo (ByEcho).
func SaidKey(utterance string, by byte, entity uuid.UUID) []byte {
	return append(SaidPrefix(utterance, by), entity[:]...)
}

// SaidPrefix is the prefix of the keys of all who have said it.
func SaidPrefix(utterance string, by byte) []byte {
	return append(append([]byte{KeySaid}, utterance...), by)
}

// Utterances returns the digests of what an entity says: all of it, and each part, since a history may have them apart.
func (w *EntityRecord) Utterances() (all []string) {
	add := func(text string) {
		if strings.TrimSpace(text) != "" {
			all = append(all, utterance(w.Workflow, text))
		}
	}
	if w.Echo && w.Content.Result.Text != "" {
		add(w.Content.Result.Text)
		return all
	}
	var said strings.Builder
	var parts []string
	for _, p := range w.Content.parts {
		if p.speaks() {
			said.WriteString(p.String())
			parts = append(parts, p.String())
		}
	}
	add(said.String())
	if len(parts) > 1 {
		for _, part := range parts[:min(len(parts), saidParts)] {
			add(part)
		}
	}
	return all
}
