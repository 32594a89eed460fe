package native

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"cairn/engine/query"
)

// This file streams what happens on a site, as text/event-stream:
//
//	event: event     an event as in listings; its id is the public id
//	event: skipped   {"n":…}: events that were left out, since more than 50 a second came
//	event: live      the numbers of GET /api/v1/live, every 5 s
//	: …              a comment, every 10 s
//
// Each of the first three has an id, with which a client that comes back goes on. A stream is a
// loop that asks the engine what has come since; the engine knows nothing of it. It ends when its
// context does, and when its credential is no longer valid. The server bounds how many there are,
// how long each lasts, and how long a client may take nothing.

// streamPace says when a stream does what.
type streamPace struct {
	poll, live, comment time.Duration
}

var streamPaceDefault = streamPace{poll: 500 * time.Millisecond, live: 5 * time.Second, comment: 10 * time.Second}

const (
	streamEventsASecond = 50
	// streamResumeMax is how many rows a client that comes back may have missed and gets.
	streamResumeMax = 10_000
	// streamPage is how many events of those are read at once.
	streamPage = 100
)

// liveStream is GET /api/v1/live/stream.
func (n *API) liveStream(ctx context.Context, c *reading) error {
	after := c.query.single["after"]
	if last := c.req.Header("Last-Event-ID"); last != "" { // a browser that comes back
		if after = last; !publicID(last) {
			return badField("Last-Event-ID", "not an id of this stream")
		}
	}
	s := &streamer{api: n, site: c.site, where: c.query.conds(), resume: after != "", valid: c.req.Valid}
	var err error
	if s.at, err = n.engine.Place(c.site, after); err != nil {
		return engineError(err)
	}
	// What is wrong with the filters is said before the stream begins.
	if _, err := n.engine.Live(ctx, s.liveQuery()); err != nil {
		return engineError(err)
	}
	c.res.Header = append(c.res.Header, [2]string{"X-Accel-Buffering", "no"}) // for nginx
	c.res.Stream = func(w io.Writer) error { return s.run(ctx, w) }
	return nil
}

// streamer is one stream.
type streamer struct {
	api    *API
	site   *query.Site
	where  []query.Cond
	valid  func() bool // whether the credential still is
	at     uint64      // seq of the last row that was looked at
	resume bool        // the client has missed what came after at
	out    []byte
}

func (s *streamer) liveQuery() *query.Live {
	return &query.Live{Report: query.Report{Site: s.site, Where: s.where, Now: s.api.now().UnixMilli()}}
}

// run writes until the stream is over. nil is its good end: the client comes back.
func (s *streamer) run(ctx context.Context, w io.Writer) error {
	pace := s.api.pace
	id := ""
	if s.resume {
		var err error
		if id, err = s.catchUp(ctx, w); err != nil {
			return s.end(ctx, err)
		}
	}
	poll := time.NewTicker(pace.poll)
	defer poll.Stop()
	began := time.Now() // by the monotonic clock
	var polled, told, commented time.Duration
	allowed := float64(streamEventsASecond)
	for first := true; ; first = false {
		now := time.Since(began)
		allowed = min(streamEventsASecond, allowed+(now-polled).Seconds()*streamEventsASecond)
		polled = now
		page, err := s.api.engine.Tail(ctx, query.Tail{Site: s.site, Where: s.where, After: s.at, Limit: int(allowed), Skip: true})
		if err != nil {
			return s.end(ctx, err)
		}
		allowed -= float64(len(page.Events))
		s.take(&page)
		if page.Skipped > 0 {
			s.skipped(page.Skipped, page.ID)
		}
		if page.ID != "" {
			id = page.ID
		}
		if first || now-told >= pace.live {
			told = now
			answer, err := s.api.engine.Live(ctx, s.liveQuery())
			if err != nil {
				return s.end(ctx, err)
			}
			s.begin("live", id)
			s.out = append(appendLive(s.out, s.site, answer), "}\n\n"...)
		}
		if now-commented >= pace.comment {
			commented = now
			s.out = append(s.out, ": \n\n"...)
		}
		if err := s.flush(w); err != nil {
			return err
		}
		if page.More && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return s.end(ctx, ctx.Err())
		case <-poll.C:
		}
		if s.valid != nil && !s.valid() {
			return nil
		}
	}
}

// catchUp writes the events that a client has missed, all of them.
func (s *streamer) catchUp(ctx context.Context, w io.Writer) (id string, err error) {
	for {
		page, err := s.api.engine.Tail(ctx, query.Tail{Site: s.site, Where: s.where, After: s.at, Limit: streamPage, RowsMax: streamResumeMax})
		if err != nil {
			return "", err
		}
		if page.Skipped > 0 { // they are older than the events
			s.skipped(page.Skipped, "")
		}
		s.take(&page)
		if err := s.flush(w); err != nil {
			return "", err
		}
		if !page.More {
			return page.ID, nil
		}
	}
}

// end turns the end of the stream's time into a good end.
func (s *streamer) end(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil
	}
	return err
}

// take writes the events of a page.
func (s *streamer) take(page *query.TailPage) {
	s.at = page.Next
	for _, e := range page.Events {
		s.begin("event", e.ID)
		s.out = append(appendEvent(s.out, e), "\n\n"...)
	}
}

func (s *streamer) skipped(n uint64, id string) {
	s.begin("skipped", id)
	s.out = append(strconv.AppendUint(append(s.out, `{"n":`...), n, 10), "}\n\n"...)
}

// begin begins a message of the stream. JSON has no line breaks.
func (s *streamer) begin(name, id string) {
	s.out = append(append(append(s.out, "event: "...), name...), '\n')
	if id != "" {
		s.out = append(append(append(s.out, "id: "...), id...), '\n')
	}
	s.out = append(s.out, "data: "...)
}

// streamWriteBytes is the most that is written at once: a client has 15 s for 64 KiB.
const streamWriteBytes = 16 << 10

func (s *streamer) flush(w io.Writer) error {
	for out := s.out; len(out) > 0; {
		n := min(len(out), streamWriteBytes)
		if _, err := w.Write(out[:n]); err != nil {
			return err
		}
		out = out[n:]
	}
	if cap(s.out) > pageBytesMax {
		s.out = nil
	}
	s.out = s.out[:0]
	return nil
}
