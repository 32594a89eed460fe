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
			note := tables.Safe(fmt.Sprintf("%s: %v", time.Now().Format(time.TimeOnly), err))
			err = screen.show(last, "", note)
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

// show draws a text and lines below it. A text that is higher than the terminal is cut, because what
// has left it at the top cannot be drawn over; so is a line that is wider, because it would take
// several. Where nothing can be drawn over, an empty line parts the texts.
func (s *screen) show(text string, below ...string) error {
	if !s.alive {
		for _, line := range below {
			text += line + "\n"
		}
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
	lines = fit(lines, below, wide, high)
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

// fit cuts lines, and the words of lines below them, to a screen of a size; 0 = unknown. What is below
// is seen whole where it can be: it says what is wrong.
func fit(lines, below []string, wide, high int) []string {
	var more []string
	for _, line := range below {
		if wide <= 0 {
			more = append(more, line)
			continue
		}
		for part := range strings.SplitSeq(wrapWords(strings.Fields(line), wide), "\n") {
			more = append(more, tables.Cut(part, wide))
		}
	}
	if high <= 1 {
		return append(lines, more...)
	}
	if room := max(high-2, 0); len(more) > room {
		more = more[len(more)-room:]
	}
	if room := high - 1 - len(more); len(lines) > room {
		lines = lines[: room-1 : room-1]
		lines = append(lines, tables.Cut("… a higher terminal shows the rest", wide))
	}
	return append(lines, more...)
}
