package memory_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"assay/memory"
)

// An agent's events are appended as they happen. Later, perhaps in another process, it finds what it learnt and resumes.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "memory")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m, err := memory.Open(ctx, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close(ctx)

	err = m.Append(ctx, "release-42",
		map[string]any{"type": "tool_invocation", "intent_id": "1", "tool_name": "build", "parameters": map[string]any{"target": "linux"}},
		map[string]any{"type": "observation", "intent_id": "1", "payload": "the linker ran out of memory"},
		map[string]any{"type": "tool_invocation", "intent_id": "2", "tool_name": "deploy", "parameters": map[string]any{"to": "staging"}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Settle(ctx); err != nil {
		fmt.Println(err)
		return
	}

	hits, err := m.Recall(ctx, memory.Query{Query: "why did the linker fail?", Limit: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("recalled:", hits[0].Text)
	workflow, err := m.Rehydrate(ctx, "release-42", memory.RehydrateOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("events:", workflow.Events)
	for _, call := range workflow.OpenCalls {
		fmt.Println("still open:", call.Capability)
	}
	// Output:
	// recalled: the linker ran out of memory
	// events: 3
	// still open: deploy
}
