package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"assay/internal/query"
)

// forget answers DELETE /v1/workflows/{id}?bronze=true&abandon=true.
func (a *api) forget(w http.ResponseWriter, r *http.Request) {
	bronze, err1 := truth(r, "bronze")
	abandon, err2 := truth(r, "abandon")
	if err := errors.Join(err1, err2); err != nil {
		a.answer(w, nil, err)
		return
	}
	ctx, cancel := untilStop(r)
	defer cancel()
	by := strings.TrimSpace(r.URL.Query().Get("by") + " " + r.RemoteAddr)
	report, err := a.View.Forget(ctx, r.PathValue("id"), query.ForgetOptions{Bronze: bronze, Abandon: abandon, By: by})
	a.answer(w, report, err)
}

func truth(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%w: %s must be true or false, not %q", query.ErrRequest, name, text)
	}
	return value, nil
}
