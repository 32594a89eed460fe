package engine_test

import (
	"cairn/engine"
	"cairn/engine/event"
)

// The model has no devices and no bots: its events come with their ids.

func (m *model) Visit(engine.Record, *event.Outcome) {}

func (m *model) Bot(*event.Source) string { return "" }
