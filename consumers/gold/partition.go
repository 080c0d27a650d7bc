package gold

import (
	"strconv"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/kernels"
	"assay/sovereign/schema"
)

// A log may be divided into partitions by workflow. Each is a Gold of its own, with a state of its own, and what it keeps is a
// function of the events of its workflows alone. What is about several workflows is summed up by whoever reads it: rows of
// metrics and graph tell their partition, and have ids of their own for each. What an event takes back may be another partition's,
// so all partitions hear of that.

// single tells whether there is one partition.
func (o *Options) single() bool { return o.Partitions <= 1 }

// owns tells whether a workflow belongs to the partition.
func (o *Options) owns(workflow string) bool {
	return o.single() || kernels.Partition(workflow, o.Partitions) == o.Partition
}

// column is the partition as rows tell it, -1 where there is one only.
func (o *Options) column() int64 {
	if o.single() {
		return -1
	}
	return int64(o.Partition)
}

// rows selects the partition's rows of traces.
func (o *Options) rows() schema.Filter {
	if o.single() {
		return schema.Filter{}
	}
	return schema.Eq("partition", int64(o.Partition))
}

// sums is the namespace of the ids of rows that sum up the partition.
func (o *Options) sums() uuid.UUID {
	if o.single() {
		return o.Namespace
	}
	return kernels.UUID(o.Namespace, kernels.JoinStrings("partition", strconv.Itoa(o.Partition)))
}

// hear notes what an event of another partition takes back. It may come any number of times.
func (f *folding) hear(ev *event) {
	if ev.disposition == bronze.Kept && bronze.IsRetraction(ev.kind) {
		f.retract(ev)
	}
}
