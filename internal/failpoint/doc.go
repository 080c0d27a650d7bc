// Package failpoint names the steps at which the program's own tests kill it. In a normal build nothing of it is left; with
// the build tag faults, FAULT_POINT=POINT:N ends the process as kill -9 does when POINT is passed for the Nth time.
package failpoint

// Points lists the points that are passed as events go through, for those who choose one. Those of Gold are consumers/gold's
// fault points, in its words.
var Points = []string{
	"ingest: durable, not answered",
	"silver: before publish",
	"silver: published, not acknowledged",
	"gold: before append",
	"gold: after append",
	"gold: after commit",
	"gold: before intent",
	"gold: after intent",
	"gold: after write",
	"gold: after held",
	"promotion: row, no entry",
	"promotion: entry, not acknowledged",
	"promotion: leased, not sent",
	"promotion: published, not recorded",
	"promotion: recorded, entry stands",
}

// Forgetting lists the points that are passed only while a workflow is forgotten, from its tombstone on: who is killed before, at
// "forget: gathered", has changed nothing, and there is nothing to resume.
var Forgetting = []string{"forget: buried", "gold: after delete", "gold: after forget", "forget: between steps"}
