package engine_test

import (
	"context"

	"cairn/engine"
	"cairn/engine/event"
)

// The model knows no devices and no bots: its events come with their ids.

func (m *model) Visit(context.Context, *engine.Site, *event.Event, *event.Source) error { return nil }

func (m *model) Bot(*event.Source) string { return "" }
