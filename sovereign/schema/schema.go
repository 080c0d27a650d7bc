// Package schema defines the tables of the sovereign store: their schemas, keys and indexes, and the queries that can
// be asked of them. It is shared by those who write rows (consumers), those who read them (the API) and the store.
package schema

import (
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// Names of the tables.
const (
	Traces            = "traces"
	Entities          = "entities"
	Episodes          = "episodes"
	CapabilityMetrics = "capability_metrics"
	UsageGraph        = "usage_graph"
	Promotions        = "promotions"
	Shed              = "shed"
)

// IsURL tells whether a store is named by a URL and not by the path of a folder.
func IsURL(store string) bool { return strings.Contains(store, "://") }

// VectorDim is the number of dimensions of the built-in embedder's vectors, with which a new table of episodes is made
// unless another embedder is configured.
const VectorDim = 256

// IndexKind is the kind of an index on a column.
type IndexKind int

// The kinds of index that Assay keeps.
const (
	BTree    IndexKind = iota // equality and ranges over many distinct values
	Bitmap                    // equality over few distinct values
	FullText                  // BM25
)

// Index is an index to keep on a column. That on the vectors of episodes is not listed: it depends on their model.
type Index struct {
	Column string
	Kind   IndexKind
}

// Table describes one table.
type Table struct {
	Name    string
	Key     string // column that identifies a row
	Schema  *arrow.Schema
	Indexes []Index
}

var timeType = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

// id is text that nothing makes shorter: what would try is kept from it.
func id(name string) arrow.Field {
	f := text(name)
	f.Metadata = arrow.MetadataFrom(map[string]string{"lance-encoding:compression": "none"})
	return f
}

func text(name string) arrow.Field { return arrow.Field{Name: name, Type: arrow.BinaryTypes.String} }

func textOrNull(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
}

func integer(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64}
}

func integerOrNull(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
}

func realOrNull(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true}
}

func instant(name string) arrow.Field { return arrow.Field{Name: name, Type: timeType} }

func instantOrNull(name string) arrow.Field {
	return arrow.Field{Name: name, Type: timeType, Nullable: true}
}

// All lists the tables in the order in which they are created. Where the column quarantined_by has a value, it is the id of
// the event that took back what the row says, or what that descends from.
var All = []Table{
	{
		Name: Traces, Key: "event_uuid",
		Schema: arrow.NewSchema([]arrow.Field{
			id("event_uuid"), id("entity_uuid"), text("kind"), text("workflow_id"), textOrNull("intent_id"),
			textOrNull("agent_id"), textOrNull("capability"), textOrNull("provider"), textOrNull("phase"),
			textOrNull("status"), instantOrNull("ts"), text("stream_id"), integer("position"), instant("captured_at"),
			integer("bronze_seq"), text("source"), textOrNull("event_id"), textOrNull("parent_id"), textOrNull("text"),
			textOrNull("fragments"), textOrNull("payload"), textOrNull("finish_reason"), textOrNull("error"),
			integerOrNull("input_tokens"), integerOrNull("output_tokens"), integer("bytes"), integer("removed"),
			integer("silver_seq"), integerOrNull("part"), textOrNull("role"), textOrNull("title"), integerOrNull("cached_tokens"),
			integerOrNull("reasoning_tokens"), realOrNull("cost_usd"), textOrNull("capability_kind"), // model, tool, method
			integerOrNull("partition"),                                                  // of a log with several
			integerOrNull("cache_write_tokens"), integerOrNull("cache_write_1h_tokens"), // of the input, and of these
		}, nil),
		Indexes: []Index{{"workflow_id", BTree}, {"entity_uuid", BTree}, {"event_uuid", BTree}},
	},
	{
		Name: Entities, Key: "entity_uuid",
		Schema: arrow.NewSchema([]arrow.Field{
			id("entity_uuid"), text("kind"), text("workflow_id"), textOrNull("intent_id"), textOrNull("agent_id"),
			textOrNull("capability"), textOrNull("provider"), text("status"), // open, ok, error, cancelled
			instantOrNull("started_at"), instantOrNull("ended_at"), integerOrNull("latency_us"),
			text("stream_id"), integer("first_position"), integer("last_position"), integer("events"), integer("bytes"),
			integerOrNull("input_tokens"), integerOrNull("output_tokens"), textOrNull("finish_reason"),
			textOrNull("error"), textOrNull("request"), textOrNull("result"), textOrNull("text"),
			textOrNull("quarantined_by"), textOrNull("role"), integerOrNull("cached_tokens"), integerOrNull("reasoning_tokens"),
			realOrNull("cost_usd"), textOrNull("clock"), // own, capture: which tells started_at and ended_at
			integerOrNull("first_part"), // of the record at first_position
			textOrNull("counted_as"),    // entity that counts of several that see one call
			integerOrNull("cache_write_tokens"), integerOrNull("cache_write_1h_tokens"),
		}, nil),
		Indexes: []Index{{"entity_uuid", BTree}, {"workflow_id", BTree}},
	},
	{
		Name: Episodes, Key: "episode_uuid",
		Schema: EpisodesSchema(VectorDim),
		Indexes: []Index{
			{"episode_uuid", BTree}, {"workflow_id", BTree}, {"agent_id", BTree}, {"ts", BTree}, {"kind", Bitmap}, {"model", Bitmap},
			{"quarantined_by", Bitmap}, {"text", FullText},
		},
	},
	{
		Name: CapabilityMetrics, Key: "metric_id",
		Schema: arrow.NewSchema([]arrow.Field{
			id("metric_id"), text("capability"), textOrNull("provider"), instant("bucket"), integer("calls"),
			integer("errors"), integerOrNull("latency_p50_us"), integerOrNull("latency_p95_us"),
			integerOrNull("latency_p99_us"), integer("bytes"), integer("input_tokens"), integer("output_tokens"),
			integer("workflows"), textOrNull("kind"), // model, tool, method
			realOrNull("cost_usd"),                              // of the calls that have a price
			integerOrNull("partition"), textOrNull("latencies"), // of a log with several: pairs of a bin and its count
		}, nil),
	},
	{
		Name: UsageGraph, Key: "element_id",
		Schema: arrow.NewSchema([]arrow.Field{
			id("element_id"), text("element"), // node, edge
			text("source"), text("source_type"), // workflow, agent, capability, model
			textOrNull("target"), textOrNull("target_type"), textOrNull("relation"), // calls, answers, follows
			integer("count"), integer("errors"), instantOrNull("first_at"), instantOrNull("last_at"),
			integerOrNull("partition"), // of a log with several, whose rows are summed up by whoever reads them
		}, nil),
	},
	{
		Name: Promotions, Key: "event_uuid",
		Schema: arrow.NewSchema([]arrow.Field{
			id("event_uuid"), text("event_cid"), text("workflow_id"), text("state"), // pending, published, rejected
			text("registry"), textOrNull("urn"), integer("attempts"), textOrNull("reason"), instantOrNull("ts"),
			instantOrNull("next_attempt_at"), instantOrNull("published_at"), text("payload"),
		}, nil),
		Indexes: []Index{{"event_uuid", BTree}, {"workflow_id", BTree}},
	},
	{
		Name: Shed, Key: "shed_id",
		Schema: arrow.NewSchema([]arrow.Field{
			text("shed_id"), text("workflow_id"), text("kind"), integer("count"), integer("bytes"),
		}, nil),
	},
}

// EpisodesSchema is the schema of episodes whose vectors have that many dimensions. An episode that is not embedded yet has
// neither vector nor model; one that the model refused has a model and no vector.
func EpisodesSchema(dimensions int) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		id("episode_uuid"), id("entity_uuid"), text("workflow_id"), textOrNull("agent_id"),
		textOrNull("capability"), text("kind"), // message, tool_call, tool_result, observation, error
		instantOrNull("ts"), text("stream_id"), integer("position"), integer("chunk"), text("text"),
		{Name: "vector", Type: arrow.FixedSizeListOf(int32(dimensions), arrow.PrimitiveTypes.Float32), Nullable: true},
		textOrNull("model"), integerOrNull("dimensions"), textOrNull("quarantined_by"),
	}, nil)
}

// ByName returns the table of that name, or nil.
func ByName(name string) *Table {
	for i := range All {
		if All[i].Name == name {
			return &All[i]
		}
	}
	return nil
}
