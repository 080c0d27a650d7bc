package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"golang.org/x/sync/errgroup"

	"assay/sovereign/schema"
)

// Limits of a rehydration.
const (
	DefaultEntities = 100
	maxEntities     = 10_000
	maxOffset       = 1_000_000
	lastMessages    = 20
	maxOpenCalls    = 1_000
)

// Values of columns that a rehydration looks for.
const (
	statusOpen   = "open"
	statusOK     = "ok"
	statusError  = "error"
	statePending = "pending"
	kindMessage  = "message"
	kindSession  = "session"
	kindCall     = "call"

	roleAssistant = "assistant"
)

// newestFirst is the order of entities; it is total, so that pages neither overlap nor leave gaps.
var newestFirst = []schema.Order{
	{Column: "started_at", Descending: true}, {Column: "last_position", Descending: true}, {Column: "first_part", Descending: true},
	{Column: "entity_uuid"},
}

func compareNewest(a, b Entity) int {
	return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.LastPosition, a.LastPosition), cmp.Compare(b.FirstPart, a.FirstPart),
		cmp.Compare(a.EntityUUID, b.EntityUUID))
}

// Rehydrate implements View.
func (l *Local) Rehydrate(ctx context.Context, workflow string, opts RehydrateOptions) (*Workflow, error) {
	if opts.Offset < 0 || opts.Offset > maxOffset {
		return nil, fmt.Errorf("%w: offset must be 0 to %d", ErrRequest, maxOffset)
	}
	opts.Limit = clamp(opts.Limit, DefaultEntities, maxEntities)
	w := &Workflow{WorkflowID: workflow}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.readEntities(ctx, w, opts) })
	group.Go(func() error { return l.readEvents(ctx, w, opts) })
	group.Go(func() error { return l.readPromotions(ctx, w, opts) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if w.EntitiesTotal == 0 && w.Events == 0 && len(w.Promotions) == 0 {
		return nil, l.unknown(ctx, workflow)
	}
	return w, nil
}

func (l *Local) readEntities(ctx context.Context, w *Workflow, opts RehydrateOptions) error {
	if !opts.At.IsZero() {
		entities, err := l.States.AsOf(ctx, w.WorkflowID, opts.At)
		if err != nil {
			return fmt.Errorf("view: workflow %q as of %s: %w", w.WorkflowID, opts.At, err)
		}
		slices.SortFunc(entities, compareNewest)
		w.show(entities, opts)
		return nil
	}
	live, err := l.States.Unsettled(ctx, w.WorkflowID)
	if err != nil {
		return fmt.Errorf("view: unsettled entities of %q: %w", w.WorkflowID, err)
	}
	of := schema.Eq("workflow_id", w.WorkflowID)
	all, err := l.Store.Count(ctx, schema.Entities, of)
	if err != nil {
		return fmt.Errorf("view: count the entities of %q: %w", w.WorkflowID, err)
	}
	// A page is cut from the stored rows with the live ones laid over them, so read as far as it reaches. Where that is all, the store
	// need not sort, which takes it longer than reading.
	q := schema.Query{Table: schema.Entities, Where: of}
	reach := opts.Offset + opts.Limit
	if all > int64(reach) {
		q.OrderBy, q.Limit = newestFirst, reach
	}
	stored, err := query[Entity](ctx, l.Store, q)
	if err != nil {
		return err
	}
	w.show(overlay(stored, live), opts)
	if all <= int64(reach) {
		return nil
	}
	return l.readBeyond(ctx, w, all, live)
}

// show fills in what a list of entities, newest first, says if it is all of the workflow's.
func (w *Workflow) show(entities []Entity, opts RehydrateOptions) {
	w.EntitiesTotal = int64(len(entities))
	w.OpenCalls = openCalls(entities)
	w.Messages = messages(entities)
	from := min(opts.Offset, len(entities))
	w.Entities = entities[from:min(from+opts.Limit, len(entities))]
}

// readBeyond reads what a page of entities does not tell of a large workflow, of which the store has that many.
func (l *Local) readBeyond(ctx context.Context, w *Workflow, stored int64, live []Entity) error {
	of := schema.Eq("workflow_id", w.WorkflowID)
	ids := make([]string, len(live))
	for i := range live {
		ids[i] = live[i].EntityUUID
	}
	var both int64
	var open, said []Entity
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if len(ids) > 0 {
			both, err = l.Store.Count(ctx, schema.Entities, schema.And(of, schema.In("entity_uuid", ids...)))
		}
		return err
	})
	group.Go(func() (err error) {
		open, err = l.entities(ctx, schema.And(of, schema.Eq("status", statusOpen)), maxOpenCalls)
		return err
	})
	group.Go(func() (err error) {
		said, err = l.entities(ctx, schema.And(of, schema.Eq("kind", kindMessage), schema.Ne("text", "")), lastMessages)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	w.EntitiesTotal = stored - both + int64(len(live))
	w.OpenCalls = openCalls(overlay(open, live))
	w.Messages = messages(overlay(said, live))
	return nil
}

func (l *Local) entities(ctx context.Context, where schema.Filter, limit int) ([]Entity, error) {
	return query[Entity](ctx, l.Store, schema.Query{Table: schema.Entities, Where: where, OrderBy: newestFirst, Limit: limit})
}

// overlay replaces stored entities by their live state and adds those that are live only, newest first.
func overlay(stored, live []Entity) []Entity {
	at := map[string]int{}
	all := slices.Clone(stored)
	for i := range all {
		at[all[i].EntityUUID] = i
	}
	for _, e := range live {
		if i, ok := at[e.EntityUUID]; ok {
			all[i] = e
		} else {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, compareNewest)
	return all
}

// openCalls returns the calls that have no answer.
func openCalls(entities []Entity) []Entity {
	open := []Entity{}
	for _, e := range entities {
		if e.Status == statusOpen && e.Request != "" && len(open) < maxOpenCalls {
			open = append(open, e)
		}
	}
	return open
}

// messages returns the last entities that are messages, oldest first, as a conversation is read.
func messages(newest []Entity) []Entity {
	found := []Entity{}
	for _, e := range newest {
		if e.Kind == kindMessage && e.Text != "" && len(found) < lastMessages {
			found = append(found, e)
		}
	}
	slices.Reverse(found)
	slices.SortStableFunc(found, func(a, b Entity) int { return saidAt(&a).Compare(saidAt(&b)) })
	return found
}

// saidAt is when a message was said. That of a model was asked for when it began, by messages that are of the same moment, and is
// said when it ends.
func saidAt(e *Entity) time.Time {
	if e.Role == roleAssistant && !e.EndedAt.IsZero() {
		return e.EndedAt
	}
	return e.StartedAt
}

// readEvents counts the workflow's events and finds the newest frame that holds one.
func (l *Local) readEvents(ctx context.Context, w *Workflow, opts RehydrateOptions) (err error) {
	if opts.At.IsZero() {
		w.Events, w.LastBronzeSeq, err = l.States.TraceCount(ctx, w.WorkflowID)
		return err
	}
	r, err := l.Store.Query(ctx, schema.Query{
		Table: schema.Traces, Columns: []string{"bronze_seq"}, Where: TracesUntil(w.WorkflowID, opts.At),
	})
	if err != nil {
		return fmt.Errorf("view: read %s: %w", schema.Traces, err)
	}
	defer r.Release()
	for r.Next() {
		sequences, ok := r.Record().Column(0).(*array.Int64)
		if !ok {
			return fmt.Errorf("view: bronze_seq is a %s", r.Record().Column(0).DataType())
		}
		w.Events += int64(sequences.Len())
		for _, seq := range sequences.Int64Values() {
			w.LastBronzeSeq = max(w.LastBronzeSeq, seq)
		}
	}
	return r.Err()
}

// TracesUntil selects a workflow's events up to a time, all of them for the zero time. An event without a time of its own
// happened when it was captured.
func TracesUntil(workflow string, at time.Time) schema.Filter {
	of := schema.Eq("workflow_id", workflow)
	if at.IsZero() {
		return of
	}
	return schema.And(of, schema.Or(
		schema.Le("ts", at), schema.And(schema.IsNull("ts"), schema.Le("captured_at", at))))
}

// readPromotions reads the workflow's promotions. Their states at another time are known as far as their own times tell.
func (l *Local) readPromotions(ctx context.Context, w *Workflow, opts RehydrateOptions) (err error) {
	of := schema.Eq("workflow_id", w.WorkflowID)
	w.Promotions = []Promotion{}
	// Most workflows have none, and counting costs a third of reading.
	if n, err := l.Store.Count(ctx, schema.Promotions, of); err != nil || n == 0 {
		return err
	}
	if !opts.At.IsZero() {
		of = schema.And(of, schema.Le("ts", opts.At))
	}
	w.Promotions, err = l.promotions(ctx, of, true, workflowPromotions)
	slices.Reverse(w.Promotions)
	if opts.At.IsZero() {
		return err
	}
	for i := range w.Promotions {
		if p := &w.Promotions[i]; p.PublishedAt.After(opts.At) {
			p.State, p.URN, p.PublishedAt = statePending, "", time.Time{}
		}
	}
	return err
}
