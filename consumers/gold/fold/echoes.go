package fold

import (
	"bytes"
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// saidBatch is how many entities are noted in one commit.
const saidBatch = 1024

// noteUnsaid notes that what an entity says is to be noted: that of an echo, and of an answer to what was asked in the same
// exchange, since only then a later request can repeat it.
func (f *Tx) noteUnsaid(id uuid.UUID, e *touched) error {
	if f.noting || !e.Echo && (!e.Solicited || !e.HasEnded()) {
		return nil
	}
	f.unsaid = true
	return f.Set(model.Key(model.KeyUnsaid, id), nil)
}

// NoteSaid notes what is still to be noted.
func (e *Engine) NoteSaid() error {
	for {
		var due []uuid.UUID
		err := state.Scan(e.DB, []byte{model.KeyUnsaid}, func(k, _ []byte) (bool, error) {
			due = append(due, model.LastID(k))
			return len(due) < saidBatch, nil
		})
		if err != nil || len(due) == 0 {
			return err
		}
		if err := e.noteSome(due); err != nil {
			return err
		}
	}
}

func (e *Engine) noteSome(due []uuid.UUID) error {
	f := e.NewTx()
	defer f.Close()
	f.MarkAll()
	f.noting = true
	n := noting{Tx: f, changed: map[string]map[string]bool{}}
	for _, id := range due {
		if err := n.note(id); err != nil {
			return err
		}
	}
	if err := errors.Join(n.hide(), f.Finish()); err != nil {
		return err
	}
	return e.commitHow(f, pebble.NoSync)
}

// noting is what one commit notes.
type noting struct {
	*Tx
	changed map[string]map[string]bool // utterance → key → whether it is there now
}

// note brings what keySaid has of an entity up to date.
func (n *noting) note(id uuid.UUID) error {
	w, err := state.LoadRecord(n.DB, id)
	if err != nil {
		return err
	}
	if w == nil {
		return n.Delete(model.Key(model.KeyUnsaid, id))
	}
	now, by := w.Utterances(), byte(model.ByAnswer)
	if w.Echo {
		by = model.ByEcho
	}
	for was := w.Said; was != ""; was = was[model.SaidLen:] {
		if err := n.put(model.SaidKey(was[:model.SaidLen], by, id), "", false); err != nil {
			return err
		}
	}
	for _, u := range now {
		if err := n.put(model.SaidKey(u, by, id), w.Workflow, true); err != nil {
			return err
		}
	}
	return errors.Join(n.Set(model.EntityKey(w.Ordinal, model.SlotSaid), []byte(strings.Join(now, ""))), n.Delete(model.Key(model.KeyUnsaid, id)))
}

func (n *noting) put(k []byte, workflow string, there bool) error {
	u := string(k[1 : 1+model.SaidLen])
	if n.changed[u] == nil {
		n.changed[u] = map[string]bool{}
	}
	n.changed[u][string(k)] = there
	if there {
		return n.Set(k, []byte(workflow))
	}
	return n.Delete(k)
}

// hide hides the echoes of what is answered now, and shows those of what no longer is.
func (n *noting) hide() error {
	for u := range n.changed {
		answers, err := n.present(u, model.ByAnswer)
		if err != nil {
			return err
		}
		echoes, err := n.present(u, model.ByEcho)
		if err != nil {
			return err
		}
		for _, id := range echoes {
			e, err := n.entity(id)
			if err != nil {
				return err
			}
			if e.Events > 0 && e.Hidden != (len(answers) > 0) {
				e.Hidden, e.changed = len(answers) > 0, true
			}
		}
	}
	return nil
}

// present returns the entities that say something, the noted ones included.
func (n *noting) present(u string, by byte) (ids []uuid.UUID, err error) {
	prefix := model.SaidPrefix(u, by)
	err = state.Scan(n.DB, prefix, func(k, _ []byte) (bool, error) {
		if there, changed := n.changed[u][string(k)]; there || !changed {
			ids = append(ids, model.LastID(k))
		}
		return true, nil
	})
	for k, there := range n.changed[u] {
		if there && bytes.HasPrefix([]byte(k), prefix) {
			ids = append(ids, model.LastID([]byte(k)))
		}
	}
	return ids, err
}

// Unsay takes out what keySaid has of an entity that goes, and what says that there is more to note.
func (f *Tx) Unsay(id uuid.UUID, e *model.EntityState) error {
	by := byte(model.ByAnswer)
	if e.Echo {
		by = model.ByEcho
	}
	err := f.Delete(model.Key(model.KeyUnsaid, id))
	_, getErr := state.Get(f.DB, model.EntityKey(e.Ordinal, model.SlotSaid), func(said []byte) error {
		for ; len(said) >= model.SaidLen; said = said[model.SaidLen:] {
			err = errors.Join(err, f.Delete(model.SaidKey(string(said[:model.SaidLen]), by, id)))
		}
		return nil
	})
	return errors.Join(err, getErr)
}
