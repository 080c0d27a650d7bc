package bronze

import "strings"

// AnswerMark is in every answer that Assay gives to an agent. Where such an answer is recorded in its turn, by a tap, a proxy or
// telemetry, it is kept like everything else and is no episode: a memory that finds its own answers fills with copies of itself.
const AnswerMark = "assay:recorded-data"

// IsAnswer tells whether a text is, or holds, what Assay answered.
func IsAnswer(text string) bool { return strings.Contains(text, AnswerMark) }
