package gold

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/kernels"
	"assay/streams"
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
	byAnswer = 'a'
	byEcho   = 'e'
)

const (
	saidLen   = 16   // bytes of a digest
	saidParts = 64   // parts of an answer that are looked for one by one
	saidBatch = 1024 // entities noted in one commit
)

// utterance is the digest of what was said in a workflow, white space apart, which is joined differently by everybody.
func utterance(workflow, text string) string {
	sum := sha1.Sum([]byte(kernels.JoinStrings(kernels.NormaliseString(workflow, false), strings.Join(strings.Fields(text), ""))))
	return string(sum[:saidLen])
}

func saidKey(utterance string, by byte, entity uuid.UUID) []byte {
	return append(saidPrefix(utterance, by), entity[:]...)
}

func saidPrefix(utterance string, by byte) []byte {
	return append(append([]byte{keySaid}, utterance...), by)
}

// noteUnsaid notes that what an entity says is to be noted: that of an echo, and of an answer to what was asked in the same
// exchange, since only then a later request can repeat it.
func (f *folding) noteUnsaid(id uuid.UUID, e *folded) error {
	if f.noting || !e.echo && (!e.solicited || !e.settled()) {
		return nil
	}
	f.unsaid = true
	return f.set(key(keyUnsaid, id), nil)
}

// noteSaid notes what is still to be noted.
func (g *Gold) noteSaid() error {
	for {
		var due []uuid.UUID
		err := scan(g.state.db, []byte{keyUnsaid}, func(k, _ []byte) (bool, error) {
			due = append(due, markedID(k))
			return len(due) < saidBatch, nil
		})
		if err != nil || len(due) == 0 {
			return err
		}
		if err := g.noteSome(due); err != nil {
			return err
		}
	}
}

func (g *Gold) noteSome(due []uuid.UUID) error {
	f := g.newFold()
	defer f.close()
	f.markAll()
	f.noting = true
	n := noting{folding: f, changed: map[string]map[string]bool{}}
	for _, id := range due {
		if err := n.note(id); err != nil {
			return err
		}
	}
	if err := errors.Join(n.hide(), f.finish()); err != nil {
		return err
	}
	return g.commitHow(f, pebble.NoSync)
}

// noting is what one commit notes.
type noting struct {
	*folding
	changed map[string]map[string]bool // utterance → key → whether it is there now
}

// note brings what keySaid has of an entity up to date.
func (n *noting) note(id uuid.UUID) error {
	w, err := loadWhole(n.g.state.db, id)
	if err != nil {
		return err
	}
	if w == nil {
		return n.delete(key(keyUnsaid, id))
	}
	now, by := w.utterances(), byte(byAnswer)
	if w.echo {
		by = byEcho
	}
	for was := w.said; was != ""; was = was[saidLen:] {
		if err := n.put(saidKey(was[:saidLen], by, id), "", false); err != nil {
			return err
		}
	}
	for _, u := range now {
		if err := n.put(saidKey(u, by, id), w.workflow, true); err != nil {
			return err
		}
	}
	return errors.Join(n.set(entityKey(w.ordinal, slotSaid), []byte(strings.Join(now, ""))), n.delete(key(keyUnsaid, id)))
}

func (n *noting) put(k []byte, workflow string, there bool) error {
	u := string(k[1 : 1+saidLen])
	if n.changed[u] == nil {
		n.changed[u] = map[string]bool{}
	}
	n.changed[u][string(k)] = there
	if there {
		return n.set(k, []byte(workflow))
	}
	return n.delete(k)
}

// utterances returns the digests of what an entity says: all of it, and each part, since a history may have them apart.
func (w *whole) utterances() (all []string) {
	add := func(text string) {
		if strings.TrimSpace(text) != "" {
			all = append(all, utterance(w.workflow, text))
		}
	}
	if w.echo && w.content.result.text != "" {
		add(w.content.result.text)
		return all
	}
	var said strings.Builder
	var parts []string
	for _, p := range w.content.parts {
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

// hide hides the echoes of what is answered now, and shows those of what no longer is.
func (n *noting) hide() error {
	for u := range n.changed {
		answers, err := n.present(u, byAnswer)
		if err != nil {
			return err
		}
		echoes, err := n.present(u, byEcho)
		if err != nil {
			return err
		}
		for _, id := range echoes {
			e, err := n.entity(id)
			if err != nil {
				return err
			}
			if e.events > 0 && e.hidden != (len(answers) > 0) {
				e.hidden, e.changed = len(answers) > 0, true
			}
		}
	}
	return nil
}

// present returns the entities that say something, the noted ones included.
func (n *noting) present(u string, by byte) (ids []uuid.UUID, err error) {
	prefix := saidPrefix(u, by)
	err = scan(n.g.state.db, prefix, func(k, _ []byte) (bool, error) {
		if there, changed := n.changed[u][string(k)]; there || !changed {
			ids = append(ids, markedID(k))
		}
		return true, nil
	})
	for k, there := range n.changed[u] {
		if there && bytes.HasPrefix([]byte(k), prefix) {
			ids = append(ids, markedID([]byte(k)))
		}
	}
	return ids, err
}

// unsay takes out what keySaid has of an entity that goes, and what says that there is more to note.
func (f *folding) unsay(id uuid.UUID, e *entity) error {
	by := byte(byAnswer)
	if e.echo {
		by = byEcho
	}
	err := f.delete(key(keyUnsaid, id))
	_, getErr := f.g.state.get(entityKey(e.ordinal, slotSaid), func(said []byte) error {
		for ; len(said) >= saidLen; said = said[saidLen:] {
			err = errors.Join(err, f.delete(saidKey(string(said[:saidLen]), by, id)))
		}
		return nil
	})
	return errors.Join(err, getErr)
}

// echoes tells whether an event is part of what a request repeats of an answer, or of what telemetry tells of one.
func echoes(ev *event) bool {
	switch ev.kind {
	case bronze.KindChatMessage:
		return ev.role == bronze.RoleAssistant
	case bronze.KindMessage:
		return ev.role == bronze.RoleAssistant && ev.source == string(streams.SourceOTLP)
	}
	return false
}
