package promotion_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"assay/consumers/promotion"
)

// A promotion is read from its event and published. The registry may be asked again: the event's UUID is the idempotency key.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Idempotency-Key"))
		fmt.Fprint(w, `{"urn":"urn:coreason:node-1"}`)
	}))
	defer server.Close()
	registry, err := promotion.Open(promotion.KindCoReason, promotion.Endpoint{URL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer registry.Close()

	p, err := promotion.Parse("0cb47bb0-2a4b-5a1c-9c2a-3a9b0f6f2a11", "wf-1", []byte(`{"topology_class":"epistemic_promotion",`+
		`"event_cid":"promotion-1","timestamp":1760000000,"source_episodic_event_cids":["ev-1","ev-2"],`+
		`"crystallized_semantic_node_cid":"node-1","compression_ratio":0.5}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	urn, err := registry.Publish(context.Background(), &p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(urn)
	// Output:
	// POST /api/v1/registry/capabilities/publish 0cb47bb0-2a4b-5a1c-9c2a-3a9b0f6f2a11
	// urn:coreason:node-1
}
