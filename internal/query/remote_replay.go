package query

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"assay/internal/query/replay"
)

// Replay writes what the server's log holds, as it was captured, to w.
func (r *Remote) Replay(ctx context.Context, w io.Writer, s replay.Selection) error {
	patient := *r.client
	patient.Timeout = 0 // the answer may be at the pace of the recording
	response, err := r.send(ctx, &patient, http.MethodGet, "/v1/replay?"+s.Query().Encode(), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("%w: the replay of %s broke off: %w", ErrServer, r.base, err)
	}
	return nil
}
