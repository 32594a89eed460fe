package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
)

// This file sends batches to the server, one at a time and in order. While one is under way the
// next ones are made. A batch whose fate is not known is sent again: its message ids make that
// safe. With a second batch under way, one that is refused for a moment (429, 503) would be
// overtaken, and sessions would come out differently.

const (
	// patience is how long a server may be away or busy before the import gives up, unless it
	// follows a log.
	patience = 5 * time.Minute
	waitMin  = 100 * time.Millisecond
	waitMax  = 30 * time.Second
	// answerBytesMax bounds an answer: a thousand refusals with their reasons.
	answerBytesMax = 4 << 20
)

// sender is the end of an import at the server.
type sender struct {
	o       *Options
	sum     *Summary
	encoder *zstd.Encoder // nil = bodies are sent as they are
	reached bool          // the server has answered once
	wait    func(ctx context.Context, d time.Duration) error
	packed  []byte
}

func newSender(o *Options, sum *Summary) *sender {
	s := &sender{o: o, sum: sum, wait: sleep}
	if o.Compress {
		s.encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)) // its options are good
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// take sends a batch and takes in the answer.
func (s *sender) take(ctx context.Context, b *batch) error {
	if len(b.ends) > 0 {
		if err := s.send(ctx, b.body, b.ends, b.places); err != nil {
			return err
		}
	}
	return s.sum.settle(b, s.o.Rejected)
}

// answer is what the server says of a batch.
type answer struct {
	Accepted   int64 `json:"accepted"`
	Duplicates int64 `json:"duplicates"`
	Rejected   []struct {
		Index int    `json:"index"`
		Error string `json:"error"`
		Field string `json:"field"`
	} `json:"rejected"`
	Error json.RawMessage `json:"error"` // of a refused request
}

// StatusError is an answer that ends an import.
type StatusError struct {
	Status int
	Text   string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("the server answered %d: %s", e.Status, e.Text)
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += " (an import needs the secret_key of the site, or the admin token)"
	case http.StatusInsufficientStorage:
		text += " (make room, then run the same command again: it goes on where it stopped)"
	}
	return text
}

// send sends events until the server has taken them in. A body that is too large for a proxy is
// sent in halves.
func (s *sender) send(ctx context.Context, body []byte, ends []int, places []place) error {
	a, err := s.persist(ctx, body)
	var status *StatusError
	if errors.As(err, &status) && status.Status == http.StatusRequestEntityTooLarge && len(ends) > 1 {
		half := len(ends) / 2
		cut := ends[half-1]
		if err := s.send(ctx, body[:cut], ends[:half], places[:half]); err != nil {
			return err
		}
		rest := make([]int, 0, len(ends)-half)
		for _, end := range ends[half:] {
			rest = append(rest, end-cut)
		}
		return s.send(ctx, body[cut:], rest, places[half:])
	}
	if status != nil && status.Status == http.StatusRequestEntityTooLarge {
		return s.sum.refuse(places[0], "is too large for the server or a proxy before it", s.o.Rejected)
	}
	if err != nil {
		return err
	}
	s.sum.Stored += a.Accepted
	s.sum.Duplicates += a.Duplicates
	for _, no := range a.Rejected {
		if no.Index < 0 || no.Index >= len(places) {
			return errors.New("the server answered something that is not from cairn")
		}
		if err := s.sum.refuse(places[no.Index], no.Error, s.o.Rejected); err != nil {
			return err
		}
	}
	return nil
}

// persist sends a body until there is an answer that says what became of it.
func (s *sender) persist(ctx context.Context, body []byte) (*answer, error) {
	since := time.Now()
	for try := 0; ; try++ {
		a, after, err := s.post(ctx, body)
		if err == nil {
			s.reached = true
			return a, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var status *StatusError
		final := errors.As(err, &status)
		if final && s.o.Follow && status.Status == http.StatusInsufficientStorage {
			final = false
		}
		if final || !s.o.Follow && (!s.reached || time.Since(since) > patience) {
			return nil, err
		}
		if try == 0 && s.o.Notice != nil {
			s.o.Notice("waiting for the server: " + err.Error())
		}
		if after == 0 {
			after = min(waitMin<<min(try, 16), waitMax)
			after += rand.N(after / 2)
		}
		if err := s.wait(ctx, after); err != nil {
			return nil, err
		}
	}
}

// post sends a body once. after is when to try again, 0 = the server did not say.
func (s *sender) post(ctx context.Context, body []byte) (a *answer, after time.Duration, err error) {
	if s.encoder != nil {
		s.packed = s.encoder.EncodeAll(body, s.packed[:0])
		body = s.packed
	}
	req, err := http.NewRequestWithContext(ctx, "POST", s.o.URL, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header = s.o.Header.Clone()
	req.Header.Set("Content-Type", "application/x-ndjson")
	if s.encoder != nil {
		req.Header.Set("Content-Encoding", "zstd")
	}
	res, err := s.o.Client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot reach the server: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerBytesMax))
	if err != nil {
		return nil, 0, fmt.Errorf("the server's answer broke off: %w", err)
	}
	switch code := res.StatusCode; code {
	case http.StatusOK, http.StatusMultiStatus, http.StatusBadRequest:
		// A 400 that lists events says why each one was refused. Without a list the request itself
		// was.
		a = new(answer)
		if json.Unmarshal(text, a) == nil && (len(a.Rejected) > 0 || code != http.StatusBadRequest && a.Error == nil) {
			s.reached = true
			return a, 0, nil
		}
		return nil, 0, &StatusError{code, textOfAnswer(text)}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		s.reached = s.reached || code != http.StatusBadGateway
		if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n >= 0 {
			after = min(max(time.Duration(n)*time.Second, waitMin), 2*time.Minute)
		}
		return nil, after, fmt.Errorf("the server answered %d: %s", code, textOfAnswer(text))
	default:
		return nil, 0, &StatusError{code, textOfAnswer(text)}
	}
}

// textOfAnswer is the beginning of an answer in one line.
func textOfAnswer(text []byte) string {
	return printable(string(bytes.Join(bytes.Fields(text[:min(len(text), 500)]), []byte(" "))))
}
