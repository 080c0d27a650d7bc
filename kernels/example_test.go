package kernels_test

import (
	"fmt"

	"assay/kernels"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"
)

func column(texts ...string) *array.String {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues(texts, nil)
	return b.NewStringArray()
}

// An id is computed from its key alone, so anyone can compute it.
func ExampleUUID() {
	name := kernels.JoinStrings(kernels.NormaliseString(" Intent-1 ", false), kernels.NormaliseString("WF-1", false))
	fmt.Println(name)
	fmt.Println(kernels.UUID(kernels.Namespace, name))
	// Output:
	// intent-1|wf-1
	// 1cdacc33-d298-5473-a93a-77920f2c2dda
}

func ExampleIdentify() {
	intents, workflows := column("intent-1", "Intent-1 ", "a|b"), column("wf-1", "WF-1", "wf-1")
	defer intents.Release()
	defer workflows.Release()
	ids, err := kernels.Identify(memory.DefaultAllocator, kernels.Namespace, false, intents, workflows)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ids.Release()
	for row := range ids.Len() {
		fmt.Println(uuid.UUID(ids.Value(row)))
	}
	// Output:
	// 1cdacc33-d298-5473-a93a-77920f2c2dda
	// 1cdacc33-d298-5473-a93a-77920f2c2dda
	// 27ed943f-6409-55aa-bb60-c1e6d143b55e
}

// Of the hesitations, the one goes whose key 2:er has a value below the threshold.
func ExamplePruneTokens() {
	contract := kernels.Contract{DecayThreshold: 0.5, RepairMarker: `^(uh|um|er)$`, MaxLookback: 10}
	kept, removed, err := kernels.PruneTokens([]string{"uh", "um", "er", "yes"}, contract)
	fmt.Println(kept, removed, err)
	fmt.Printf("%#08x %#08x\n", kernels.Value([]byte("0:uh")), kernels.Value([]byte("2:er")))
	// Output:
	// [uh um yes] 1 <nil>
	// 0xeeb0bf9c 0x01d51f00
}
