package cli

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/sink"
	"cairn/engine/sink/clickhouse"
	"cairn/engine/sink/kafka"
)

// This file is the part of the server that gives the store its sinks. The store carries the rows, and
// has the metrics and the reasons for /healthz.

// sinks is the part. It is there without a sink, too, since a reload may bring one.
type sinks struct {
	log *slog.Logger

	mu      sync.Mutex
	process *process // nil while the store is closed
	wanted  sinkWishes
	wrong   error // why rows are carried nowhere although a sink is configured
}

// sinkWishes are what the configuration says of sinks.
type sinkWishes struct {
	config.Sinks
	days int // see clickhouse.Options.Days
}

func wishesOf(cfg *config.Config) sinkWishes {
	w := sinkWishes{Sinks: cfg.Sink}
	if !w.ClickHouse.On() || !w.ClickHouse.Create {
		return w // nobody needs the days
	}
	w.days, _ = retentionMost(cfg)
	return w
}

// on says whether there is a sink at all.
func (w *sinkWishes) on() bool { return w.ClickHouse.On() || w.Kafka.On() }

// make makes the sinks. They ask nothing of a server yet.
func (w *sinkWishes) make() (all []sink.Config, err error) {
	if c := &w.ClickHouse; c.On() {
		s, err := clickhouse.New(clickhouse.Options{URL: c.URL, Database: c.Database, Table: c.Table, User: c.User, Password: c.Password(), CA: c.CA, Create: c.Create, Days: w.days, InsertMax: time.Duration(c.Timeout)})
		if err != nil {
			return nil, fmt.Errorf("sink.clickhouse: %w", err)
		}
		all = append(all, c.Carry(s))
	}
	if k := &w.Kafka; k.On() {
		s, err := kafka.New(k.Options())
		if err != nil {
			return nil, fmt.Errorf("sink.kafka: %w", err)
		}
		all = append(all, k.Carry(s))
	}
	return all, nil
}

// newSinks makes the part, and tells the store that sinks will follow.
func newSinks(cfg *config.Config, opts *engine.Options, log *slog.Logger) *sinks {
	s := &sinks{log: log, wanted: wishesOf(cfg)}
	opts.SinksFollow = s.wanted.on()
	return s
}

// Start implements starter.
func (s *sinks) Start(_ context.Context, p *process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	if !s.wanted.on() {
		return nil
	}
	return s.begin()
}

// begin gives the store the configured sinks, in place of those that it has. s.mu is held.
func (s *sinks) begin() error {
	s.wrong = nil
	if s.process == nil || s.process.engine.ReadOnly() {
		return nil
	}
	all, err := s.wanted.make()
	if err != nil {
		return err
	}
	return s.process.engine.CarryTo(all)
}

// Stop implements starter. The store ends the sinks when it is closed; here they end sooner, while
// there is time.
func (s *sinks) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.engine.EndSinks()
	}
	s.process = nil
}

// Prepare implements reloader.
func (s *sinks) Prepare(next *config.Config) (apply func(), err error) {
	wanted := wishesOf(next)
	s.mu.Lock()
	same := reflect.DeepEqual(wanted, s.wanted)
	s.mu.Unlock()
	if same {
		return nil, nil
	}
	made, err := wanted.make()
	if err != nil {
		return nil, err
	}
	for _, one := range made {
		one.Sink.Close() // it was only a try
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wanted = wanted
		if s.wrong = s.begin(); s.wrong != nil {
			s.log.Error("rows are carried nowhere with the new configuration of sinks", "error", s.wrong)
		}
	}, nil
}

// Metrics implements part.
func (s *sinks) Metrics(func(name, kind, help string, value float64, labels ...string)) {}

// Troubles implements part.
func (s *sinks) Troubles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong != nil {
		return []string{"rows are carried to no sink; see the log"}
	}
	return nil
}

// The part does all that it has to.
var (
	_ part     = (*sinks)(nil)
	_ starter  = (*sinks)(nil)
	_ reloader = (*sinks)(nil)
)
