package importer

import (
	"context"
	"strings"
	"time"

	"cairn/engine/event"
)

// This file is the end of a dry run: it judges events as the server would, and stores nothing.

// Check is what a dry run has found.
type Check struct {
	First []string // the first events, as they would be sent
	Types map[string]int64
	Days  map[string]int64 // by UTC
}

const (
	// firstMax is how many events a dry run shows.
	firstMax = 3
	// daysMax is how many days it counts.
	daysMax = 50_000
)

func newCheck() *Check { return &Check{Types: map[string]int64{}, Days: map[string]int64{}} }

// checker takes batches in place of the server.
type checker struct {
	o      *Options
	sum    *Summary
	parser event.Parser
	record event.Record
	said   event.Import
}

func (c *checker) take(_ context.Context, b *batch) error {
	at := 0
	for i, end := range b.ends {
		line := b.body[at : end-1]
		at = end
		e, err := c.judge(line)
		if err != nil {
			if err := c.sum.refuse(b.places[i], err.Error(), c.o.Rejected); err != nil {
				return err
			}
			continue
		}
		check := c.sum.Check
		if len(check.First) < firstMax {
			check.First = append(check.First, string(line))
		}
		check.Types[string(e.Type)]++
		when := e.Time
		if when == 0 {
			when = time.Now().UnixMilli()
		}
		if day := time.UnixMilli(when).UTC().Format(time.DateOnly); check.Days[day] > 0 || len(check.Days) < daysMax {
			check.Days[strings.Clone(day)]++
		}
	}
	return c.sum.settle(b, c.o.Rejected)
}

// judge parses an event as the server does.
func (c *checker) judge(line []byte) (*event.Event, error) {
	c.parser.Reset()
	if err := c.parser.Import(line, time.Now().UnixMilli(), &c.record, &c.said); err != nil {
		return nil, err
	}
	if bad := event.Validate(&c.record.Event); bad != nil {
		return nil, bad
	}
	return &c.record.Event, nil
}
