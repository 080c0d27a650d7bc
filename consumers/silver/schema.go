package silver

import "github.com/apache/arrow/go/v17/arrow"

// Column names of Silver, in order. They are the contract between Silver and Gold; traces stores the same columns.
const (
	ColEventUUID    = "event_uuid"
	ColEntityUUID   = "entity_uuid"
	ColKind         = "kind"
	ColWorkflowID   = "workflow_id"
	ColIntentID     = "intent_id"
	ColAgentID      = "agent_id"
	ColCapability   = "capability"
	ColProvider     = "provider"
	ColPhase        = "phase"
	ColStatus       = "status"
	ColTS           = "ts"
	ColStreamID     = "stream_id"
	ColPosition     = "position"
	ColCapturedAt   = "captured_at"
	ColBronzeSeq    = "bronze_seq"
	ColSource       = "source"
	ColEventID      = "event_id"
	ColParentID     = "parent_id"
	ColText         = "text"
	ColFragments    = "fragments"
	ColPayload      = "payload"
	ColFinishReason = "finish_reason"
	ColError        = "error"
	ColInputTokens  = "input_tokens"
	ColOutputTokens = "output_tokens"
	ColBytes        = "bytes"
	ColRemoved      = "removed"
	ColDisposition  = "disposition"

	ColPart            = "part"
	ColCapabilityKind  = "capability_kind" // model, tool or method
	ColRole            = "role"
	ColTitle           = "title"
	ColCachedTokens    = "cached_tokens"
	ColWrittenTokens   = "cache_write_tokens"
	ColHourTokens      = "cache_write_1h_tokens"
	ColReasoningTokens = "reasoning_tokens"
	ColCostUSD         = "cost_usd"
)

// uuidType is 16 bytes, marked with the canonical extension name in the field's metadata rather than as an extension
// array, so that every Arrow implementation reads it.
var uuidType = &arrow.FixedSizeBinaryType{ByteWidth: 16}

var uuidMetadata = arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.uuid", ""})

var timeType = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

// Schema is the schema of every batch on SILVER. A string that an event lacks is null. Rows with disposition shed or
// dead carry no text and no payload: they exist to be counted once.
var Schema = arrow.NewSchema([]arrow.Field{
	{Name: ColEventUUID, Type: uuidType, Metadata: uuidMetadata},
	{Name: ColEntityUUID, Type: uuidType, Metadata: uuidMetadata},
	{Name: ColKind, Type: arrow.BinaryTypes.String},
	{Name: ColWorkflowID, Type: arrow.BinaryTypes.String},
	{Name: ColIntentID, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColAgentID, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColCapability, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColProvider, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColPhase, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColStatus, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColTS, Type: timeType, Nullable: true},
	{Name: ColStreamID, Type: arrow.BinaryTypes.String},
	{Name: ColPosition, Type: arrow.PrimitiveTypes.Int64},
	{Name: ColCapturedAt, Type: timeType},
	{Name: ColBronzeSeq, Type: arrow.PrimitiveTypes.Int64},
	{Name: ColSource, Type: arrow.BinaryTypes.String},
	{Name: ColEventID, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColParentID, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColText, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColFragments, Type: arrow.BinaryTypes.String, Nullable: true}, // JSON array of bronze.Fragment
	{Name: ColPayload, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColFinishReason, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColError, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColInputTokens, Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: ColOutputTokens, Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: ColBytes, Type: arrow.PrimitiveTypes.Int64},
	{Name: ColRemoved, Type: arrow.PrimitiveTypes.Int32},
	{Name: ColDisposition, Type: arrow.BinaryTypes.String},
	{Name: ColPart, Type: arrow.PrimitiveTypes.Int32},
	{Name: ColRole, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColTitle, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColCachedTokens, Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: ColReasoningTokens, Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: ColCostUSD, Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: ColCapabilityKind, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: ColWrittenTokens, Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: ColHourTokens, Type: arrow.PrimitiveTypes.Int64, Nullable: true},
}, nil)
