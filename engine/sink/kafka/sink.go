//go:build !nosinks

package kafka

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kerr"
)

// This file is the sink: what sink.Sink asks, in terms of transactions and cursors.

// Sink is a sink.Sink. One goroutine uses it.
type Sink struct {
	options     Options
	cursorTopic string
	by          string // names this process
	cluster     cluster
	cursors     cursors
	producers   map[uint64]*producer // by store number
	build       builder
	batchMax    int           // bytes of a batch before it is compressed
	look        time.Duration // patienceLook, but in tests
}

// leftOut is nil: this build has the sink.
var leftOut error

// New returns the sink. It asks nothing of a broker yet.
func New(o Options) (sink.Sink, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	secure, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	if o.Compression == "" {
		o.Compression = Compressions[0]
	}
	var by [8]byte
	rand.Read(by[:])
	s := &Sink{options: o, cursorTopic: o.Topic + cursorSuffix, by: hex.EncodeToString(by[:]), producers: map[uint64]*producer{}, batchMax: batchMost, look: patienceLook}
	s.build.codec = codecs[o.Compression]
	s.cluster = cluster{options: &s.options, secure: secure}
	s.cluster.disconnect()
	s.cursors.own = map[string]bool{}
	s.cursors.forget()
	return s, nil
}

// Name implements sink.Sink.
func (s *Sink) Name() string { return "kafka" }

// Form implements sink.Sink.
func (s *Sink) Form() sink.Form { return sink.Native }

// Whole implements sink.Whole: a range is a transaction.
func (s *Sink) Whole() bool { return true }

// Open implements sink.Sink.
func (s *Sink) Open(ctx context.Context) error {
	s.restart()
	if err := s.cluster.connect(ctx); err != nil {
		return err
	}
	return s.openTopics(ctx)
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.cluster.disconnect()
	return nil
}

// twice does something, and once more where an error passes: a leader has moved, a broker has closed
// a connection that was idle.
func (s *Sink) twice(ctx context.Context, do func() error) error {
	err := do()
	if err == nil || ctx.Err() != nil || !sink.FaultOf(err).Passes {
		return err
	}
	if err := s.Open(ctx); err != nil {
		return err
	}
	return do()
}

// producer returns the producer of a store with a session, and what has arrived is read.
func (s *Sink) producer(ctx context.Context, store uint64) (*producer, error) {
	p := s.producers[store]
	if p == nil {
		p = &producer{id: fmt.Sprintf("cairn-%s-%d", s.options.Topic, store)}
		s.producers[store] = p
	}
	if p.open {
		return p, nil
	}
	s.want(store)
	fenced := func() error {
		if p.fenced = p.fenced || p.begun && s.other(store, p.floor); p.fenced {
			return lasting(kerr.ProducerFenced.Message, "another cairn writes to topic %s under the store number %d. Two servers have one secret: one of them is a copy. Start this one again: it then takes another number", s.options.Topic, store)
		}
		return nil
	}
	if p.begun {
		// Without a look first, this session would end one of another server that is in its right.
		if _, err := s.catchUp(ctx, s.look); err != nil {
			return nil, err
		}
		if err := fenced(); err != nil {
			return nil, err
		}
	}
	if err := s.begin(ctx, p); err != nil {
		return nil, err
	}
	// All transactions of p have ended. What they have brought is known when the topic was read to
	// its present end.
	p.open = false
	waiting, err := s.catchUp(ctx, patience)
	if err != nil {
		return nil, err
	}
	if waiting {
		return nil, passes("WAITING_FOR_TRANSACTION", "another writer has an open transaction in topic %s", s.cursorTopic)
	}
	if err := fenced(); err != nil {
		return nil, err
	}
	if !p.begun {
		p.begun, p.floor = true, s.cursors.next
	}
	p.open = true
	return p, nil
}

// other says whether another process has written for a store since an offset.
func (s *Sink) other(store uint64, floor int64) bool {
	prefix := storePrefix(store)
	for key, f := range s.cursors.sites {
		if strings.HasPrefix(key, prefix) && f.By != s.by && f.offset >= floor {
			return true
		}
	}
	return false
}

// Send implements sink.Sink.
func (s *Sink) Send(ctx context.Context, r *sink.Range) error {
	return s.twice(ctx, func() error { return s.send(ctx, r) })
}

func (s *Sink) send(ctx context.Context, r *sink.Range) error {
	p, err := s.producer(ctx, r.Store)
	if err != nil {
		return err
	}
	have := s.cursors.sites[cursorKey(r.Store, r.Site.Number)].cursor
	from, err := s.arrived(r, have.Marks, have.Last)
	if err != nil || from == r.Len() {
		return err
	}
	next := cursor{Store: r.Store, Site: r.Site.Name, First: max(r.First, have.Last+1), Last: r.Last, Rows: r.Len() - from, By: s.by, Marks: after(r, from, have.Marks)}
	return s.write(ctx, p, r.Site, next, func(w *writer) error {
		key, store := []byte(r.Site.Name), strconv.AppendUint(nil, r.Store, 10)
		var seq []byte
		for i := from; i < r.Len(); i++ {
			seq = strconv.AppendUint(seq[:0], r.Seqs[i], 10)
			if err := w.add(key, bytes.TrimSuffix(r.Line(i), []byte("\n")), header{"seq", seq}, header{"store", store}, header{"id", []byte(r.IDs[i])}); err != nil {
				return err
			}
		}
		return nil
	})
}

// arrived returns how many rows of a range Kafka has. Rows that it has under the seqs of the range
// and that are not the range's are a fault: the store is another one than that which sent them.
func (s *Sink) arrived(r *sink.Range, marks []mark, last uint64) (int, error) {
	for _, m := range marks {
		i, ok := slices.BinarySearch(r.Seqs, m.Seq)
		if ok && (r.IDs[i] != m.ID || r.Received[i] != m.Received) {
			return 0, lasting("foreign_rows", "topic %s has another row %d of site %s: %s, received %d; cairn has %s, received %d", s.options.Topic, m.Seq, r.Site.Name, m.ID, m.Received, r.IDs[i], r.Received[i])
		}
	}
	i, ok := slices.BinarySearch(r.Seqs, last)
	if ok {
		i++
	}
	return i, nil
}

// write writes records and a cursor, in one transaction.
func (s *Sink) write(ctx context.Context, p *producer, site sink.Site, next cursor, rows func(w *writer) error) error {
	data := slot{s.options.Topic, partitionOf([]byte(site.Name), len(s.cluster.leaders[s.options.Topic]))}
	end := slot{s.cursorTopic, 0}
	key := cursorKey(next.Store, site.Number)
	value, err := json.Marshal(next)
	if err != nil {
		return err
	}
	s.build.reset()
	err = s.transact(ctx, p, []slot{data, end}, func() error {
		w := &writer{sink: s, ctx: ctx, p: p, slot: data}
		if err := rows(w); err != nil {
			return err
		}
		if err := w.finish(); err != nil {
			return err
		}
		w = &writer{sink: s, ctx: ctx, p: p, slot: end}
		if err := w.add([]byte(key), value); err != nil {
			return err
		}
		return w.finish()
	})
	s.build.reset()
	if err == nil {
		s.cursors.sites[key] = found{next, -1}
	}
	return err
}

// Newest implements sink.Sink.
func (s *Sink) Newest(ctx context.Context, store uint64, site sink.Site, upTo uint64, n int) (marks []sink.Mark, err error) {
	s.want(store)
	err = s.twice(ctx, func() error {
		if _, err := s.catchUp(ctx, s.look); err != nil {
			return err
		}
		marks = nil
		for _, m := range s.cursors.sites[cursorKey(store, site.Number)].Marks {
			if m.Seq <= upTo && len(marks) < n {
				marks = append(marks, sink.Mark(m))
			}
		}
		return nil
	})
	return marks, err
}

// spansMost is how many spans one record of a deletion names.
const spansMost = 1000

// deletion is the value of the record of a deletion.
type deletion struct {
	Site   string  `json:"site"`
	Delete deletes `json:"delete"`
}

// deletes names the rows: those of Seqs, or all of the store's site.
type deletes struct {
	Store uint64      `json:"store,string"`
	All   bool        `json:"all,omitempty"`
	Seqs  [][2]uint64 `json:"seqs,omitempty"` // from and to, inclusive
}

// Delete implements sink.Sink. Kafka keeps what it was given: a record names the rows, for those who
// read the topic.
func (s *Sink) Delete(ctx context.Context, store uint64, site sink.Site, rows []sink.Span) error {
	if len(rows) == 0 {
		return nil
	}
	return s.delete(ctx, store, site, rows)
}

// DeleteSite implements sink.Sink.
func (s *Sink) DeleteSite(ctx context.Context, store uint64, site sink.Site) error {
	return s.delete(ctx, store, site, nil)
}

// delete writes the records of a deletion; nil is all rows of the site.
func (s *Sink) delete(ctx context.Context, store uint64, site sink.Site, rows []sink.Span) error {
	return s.twice(ctx, func() error {
		p, err := s.producer(ctx, store)
		if err != nil {
			return err
		}
		next := s.cursors.sites[cursorKey(store, site.Number)].cursor
		next.Store, next.Site, next.By, next.Rows = store, site.Name, s.by, 0
		if next.Marks = without(next.Marks, rows); rows == nil {
			next.Marks = []mark{}
		}
		return s.write(ctx, p, site, next, func(w *writer) error {
			if rows == nil {
				return w.deletion(site.Name, deletes{Store: store, All: true}, "*")
			}
			for part := range slices.Chunk(rows, spansMost) {
				d := deletes{Store: store}
				var text []byte
				for i, span := range part {
					if d.Seqs = append(d.Seqs, [2]uint64{span.First, span.Last}); i > 0 {
						text = append(text, ',')
					}
					if text = strconv.AppendUint(text, span.First, 10); span.Last > span.First {
						text = strconv.AppendUint(append(text, '-'), span.Last, 10)
					}
				}
				if err := w.deletion(site.Name, d, string(text)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (w *writer) deletion(site string, d deletes, text string) error {
	value, err := json.Marshal(deletion{site, d})
	if err != nil {
		return err
	}
	return w.add([]byte(site), value, header{"delete", []byte(text)}, header{"store", strconv.AppendUint(nil, d.Store, 10)})
}
