package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// backoffMax bounds the wait between two attempts, also where the endpoint asks for a longer one.
const backoffMax = 30 * time.Second

type request struct {
	Model          string   `json:"model"`
	Input          []string `json:"input"`
	EncodingFormat string   `json:"encoding_format"`
	Dimensions     int      `json:"dimensions,omitempty"`
}

type answer struct {
	Data []struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
}

// embedBatch asks for one batch until there is an answer, or it was asked often enough.
func (e *Endpoint) embedBatch(ctx context.Context, texts []string) ([][]float32, error) {
	asked := request{Model: e.opts.Model, Input: texts, EncodingFormat: "float"}
	if e.opts.Shorten {
		asked.Dimensions = e.opts.Dimensions
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.Multiplier = e.opts.BackoffMin, backoffMax, 2
	vectors, err := backoff.Retry(ctx, func() ([][]float32, error) {
		vectors, err := e.ask(ctx, body, len(texts))
		if err != nil && !errors.Is(err, ErrUnavailable) {
			return nil, backoff.Permanent(err)
		}
		return vectors, err
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(uint(e.opts.Attempts)), backoff.WithMaxElapsedTime(0))
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	return vectors, err
}

// ask makes one request.
func (e *Endpoint) ask(ctx context.Context, body []byte, texts int) ([][]float32, error) {
	if err := e.limit.Wait(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	key, err := e.key()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMisconfigured, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := e.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusal(response)
	}
	var got answer
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(&got); err != nil {
		return nil, fmt.Errorf("%w: its answer is not what was expected: %w", ErrUnavailable, err)
	}
	return e.vectors(&got, texts)
}

// refusal makes an error of an answer without vectors.
func refusal(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusalBytes)) // whatever arrived is what can be told
	told := fmt.Sprintf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	switch status := response.StatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		err := fmt.Errorf("%w: %s", ErrUnavailable, told)
		if seconds, parseErr := strconv.Atoi(response.Header.Get("Retry-After")); parseErr == nil && seconds >= 0 {
			wait := min(time.Duration(seconds)*time.Second, backoffMax)
			return fmt.Errorf("%w: %w", err, &backoff.RetryAfterError{Duration: wait})
		}
		return err
	case status >= 500, status == http.StatusRequestTimeout:
		return fmt.Errorf("%w: %s", ErrUnavailable, told)
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %s", ErrRefused, told)
	default:
		return fmt.Errorf("%w: %s; check embeddings.url, embeddings.model and the key", ErrMisconfigured, told)
	}
}

// vectors puts the vectors in the order of the texts.
func (e *Endpoint) vectors(got *answer, texts int) ([][]float32, error) {
	if len(got.Data) != texts {
		return nil, fmt.Errorf("%w: %d vectors for %d texts", ErrUnavailable, len(got.Data), texts)
	}
	vectors := make([][]float32, texts)
	for _, d := range got.Data {
		switch {
		case d.Index < 0 || d.Index >= texts || vectors[d.Index] != nil:
			return nil, fmt.Errorf("%w: its answer numbers the vectors wrongly", ErrUnavailable)
		case len(d.Embedding) != e.opts.Dimensions:
			return nil, fmt.Errorf("%w: %s has vectors of %d numbers and embeddings.dimensions is %d; set it to %[3]d",
				ErrMisconfigured, e.opts.Model, len(d.Embedding), e.opts.Dimensions)
		}
		vectors[d.Index] = d.Embedding
	}
	return vectors, nil
}
