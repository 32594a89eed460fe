package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"cairn/http/tables"

	"golang.org/x/term"
)

// This file is "cairn report -watch": it asks again and again, and draws the answer where the last one
// stood.

// again asks until ctx is over. The first answer must come; later ones may fail for a while.
func (e *reporting) again(ctx context.Context) error {
	screen := &screen{out: e.out, alive: isTerminal(e.out) && os.Getenv("TERM") != "dumb"}
	tick := time.NewTicker(e.watch)
	defer tick.Stop()
	last := ""
	for {
		style := e.style(e.out)
		r, err := e.report(ctx)
		var refused *refusal
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			last = r.Text(style)
			err = screen.show(last)
		case last == "", errors.As(err, &refused) && refused.status != http.StatusTooManyRequests && refused.status < 500:
			return err
		default: // what is seen is old; the error says so
			err = screen.show(last + "\n" + tables.Safe(fmt.Sprintf("%s: %v", time.Now().Format(time.TimeOnly), err)) + "\n")
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// screen is where texts are drawn, one in place of the other.
type screen struct {
	out   io.Writer
	alive bool // it can be drawn over
	lines int  // of the last text
}

// show draws a text. One that is higher than the terminal is cut, because what has left it at the top
// cannot be drawn over. Where nothing can be drawn over, an empty line parts the texts.
func (s *screen) show(text string) error {
	if !s.alive {
		if s.lines > 0 {
			text = "\n" + text
		}
		s.lines = 1
		_, err := io.WriteString(s.out, text)
		return err
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	wide, high := 0, 0
	if f, ok := s.out.(*os.File); ok {
		wide, high, _ = term.GetSize(int(f.Fd()))
	}
	if high > 1 && len(lines) > high-1 {
		lines = append(lines[:high-2:high-2], tables.Cut("… a higher terminal shows the rest", wide))
	}
	var b strings.Builder
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", s.lines)
	}
	for _, line := range lines {
		b.WriteString(strings.TrimSuffix(line, "\n") + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.lines = len(lines)
	_, err := io.WriteString(s.out, b.String())
	return err
}
