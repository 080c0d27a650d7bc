// Package mcp is the memory as a server of the Model Context Protocol: tools that an agent asks, resources and a prompt.
//
//	agent ──► stdio or /mcp ──► tools ──► query.View ──► tables, state, log
//	                              │
//	                              └─► every answer says how far it reaches, and that its texts are recorded data
//
// All tools but remember, which is there only where it was allowed, are read-only. What they answer carries bronze.AnswerMark, so
// that an answer which is recorded in its turn is not found again.
package mcp
