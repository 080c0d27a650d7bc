package silver

import "github.com/apache/arrow/go/v17/arrow/array"

// columns are the builders of Schema by name, so that appending a row is neither a look-up nor a type switch.
type columns struct {
	eventUUID, entityUUID                           *array.FixedSizeBinaryBuilder
	kind, workflowID, intentID, agentID, capability *array.StringBuilder
	provider, phase, status, streamID, source       *array.StringBuilder
	eventID, parentID, text, fragments, payload     *array.StringBuilder
	finishReason, failure, disposition              *array.StringBuilder
	ts, capturedAt                                  *array.TimestampBuilder
	position, bronzeSeq, inputTokens, outputTokens  *array.Int64Builder
	bytes                                           *array.Int64Builder
	removed, part                                   *array.Int32Builder
	role, title, capabilityKind                     *array.StringBuilder
	cachedTokens, reasoningTokens, written, hour    *array.Int64Builder
	costUSD                                         *array.Float64Builder
}

func bindColumns(rows *array.RecordBuilder) columns {
	return columns{
		eventUUID:    builder[*array.FixedSizeBinaryBuilder](rows, ColEventUUID),
		entityUUID:   builder[*array.FixedSizeBinaryBuilder](rows, ColEntityUUID),
		kind:         builder[*array.StringBuilder](rows, ColKind),
		workflowID:   builder[*array.StringBuilder](rows, ColWorkflowID),
		intentID:     builder[*array.StringBuilder](rows, ColIntentID),
		agentID:      builder[*array.StringBuilder](rows, ColAgentID),
		capability:   builder[*array.StringBuilder](rows, ColCapability),
		provider:     builder[*array.StringBuilder](rows, ColProvider),
		phase:        builder[*array.StringBuilder](rows, ColPhase),
		status:       builder[*array.StringBuilder](rows, ColStatus),
		ts:           builder[*array.TimestampBuilder](rows, ColTS),
		streamID:     builder[*array.StringBuilder](rows, ColStreamID),
		position:     builder[*array.Int64Builder](rows, ColPosition),
		capturedAt:   builder[*array.TimestampBuilder](rows, ColCapturedAt),
		bronzeSeq:    builder[*array.Int64Builder](rows, ColBronzeSeq),
		source:       builder[*array.StringBuilder](rows, ColSource),
		eventID:      builder[*array.StringBuilder](rows, ColEventID),
		parentID:     builder[*array.StringBuilder](rows, ColParentID),
		text:         builder[*array.StringBuilder](rows, ColText),
		fragments:    builder[*array.StringBuilder](rows, ColFragments),
		payload:      builder[*array.StringBuilder](rows, ColPayload),
		finishReason: builder[*array.StringBuilder](rows, ColFinishReason),
		failure:      builder[*array.StringBuilder](rows, ColError),
		inputTokens:  builder[*array.Int64Builder](rows, ColInputTokens),
		outputTokens: builder[*array.Int64Builder](rows, ColOutputTokens),
		bytes:        builder[*array.Int64Builder](rows, ColBytes),
		removed:      builder[*array.Int32Builder](rows, ColRemoved),
		disposition:  builder[*array.StringBuilder](rows, ColDisposition),

		part:            builder[*array.Int32Builder](rows, ColPart),
		role:            builder[*array.StringBuilder](rows, ColRole),
		title:           builder[*array.StringBuilder](rows, ColTitle),
		cachedTokens:    builder[*array.Int64Builder](rows, ColCachedTokens),
		written:         builder[*array.Int64Builder](rows, ColWrittenTokens),
		hour:            builder[*array.Int64Builder](rows, ColHourTokens),
		reasoningTokens: builder[*array.Int64Builder](rows, ColReasoningTokens),
		capabilityKind:  builder[*array.StringBuilder](rows, ColCapabilityKind),
		costUSD:         builder[*array.Float64Builder](rows, ColCostUSD),
	}
}

func builder[B array.Builder](rows *array.RecordBuilder, column string) B {
	return rows.Field(Schema.FieldIndices(column)[0]).(B)
}
