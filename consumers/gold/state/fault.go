package state

// FaultPoint names a step of Gold's protocols, for tests that crash it there.
type FaultPoint string

// The steps, in order.
const (
	BeforeAppend FaultPoint = "before append" // nothing of the group is stored
	AfterAppend  FaultPoint = "after append"  // traces has the rows, the state does not know them
	AfterCommit  FaultPoint = "after commit"  // the state has the group, SILVER does not know
	BeforeIntent FaultPoint = "before intent" // rows are to be written to a table
	AfterIntent  FaultPoint = "after intent"  // the state says that the table may have them
	AfterWrite   FaultPoint = "after write"   // the table has them, their marks still stand
	AfterHeld    FaultPoint = "after held"    // the tables have rows that the state says are held
)

// Faults are where a test may stop Gold; nil: nowhere.
type Faults func(at FaultPoint) error

// At passes a fault point.
func (f Faults) At(point FaultPoint) error {
	if f == nil {
		return nil
	}
	return f(point)
}

// Steps of Forget, for tests that crash it there.
const (
	AfterDelete FaultPoint = "after delete" // entities and episodes lack the rows, the state still has what they showed
	AfterForget FaultPoint = "after forget" // the state has forgotten, traces has the rows
)
