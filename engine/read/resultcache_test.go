package read

import (
	"fmt"
	"testing"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
)

// Queries that differ in any part have different keys.
func TestCacheKeys(t *testing.T) {
	a, b := &query.Site{ID: 1}, &query.Site{ID: 2}
	keys := map[string]string{}
	add := func(key string, q any) {
		t.Helper()
		if other, ok := keys[key]; ok {
			t.Errorf("%+v and %s have the same key %q", q, other, key)
		}
		keys[key] = fmt.Sprintf("%+v", q)
	}
	for _, q := range []query.Query{{Site: a}, {Site: b}, {Site: a, From: 1}, {Site: a, To: 1},
		{Site: a, Where: []query.Cond{{Field: "name", Values: []string{"x"}}}}, {Site: a, Where: []query.Cond{{Field: "name", Values: []string{"x", "y"}}}},
		{Site: a, Where: []query.Cond{{Field: "name", Values: []string{`x" "y`}}}}, {Site: a, Where: []query.Cond{{Field: "name", Values: []string{"x"}}, {Field: "name", Values: []string{"y"}}}}} {
		add(queryKey(&q, "count"), q)
		add(queryKey(&q, "series day UTC"), q)
	}
	for _, q := range []query.CounterQuery{{Site: a}, {Site: b}, {Site: a, Property: "p"}, {Site: a, Segment: "p"}, {Site: a, Values: []string{"p"}},
		{Site: a, SegmentValues: []string{"p"}}, {Site: a, Where: []query.Cond{{Field: "name", Values: []string{"x"}}}}, {Site: a, From: 1}, {Site: a, To: 1},
		{Site: a, FromDay: 1}, {Site: a, ToDay: 1}, {Site: a, Sort: "users"}, {Site: a, Limit: 1}, {Site: a, Offset: 1}, {Site: a, Interval: "day"}} {
		add(counterKey(&q), q)
	}
}

// The cache never exceeds its size, whatever the sizes of the answers.
func TestResultCacheIsBounded(t *testing.T) {
	c := newAnswerCache(10_000)
	v := &view{View: table.New(1, identity.NewLinks(nil, nil)).View()}
	for i := range 500 {
		size := i * 37 % 4000
		got, err := keep(c, v, question{key: fmt.Sprint("query ", i)}, nil, func(int) int { return size }, func() (int, error) { return i, nil })
		if got != i || err != nil {
			t.Fatalf("answer %d is %d, %v", i, got, err)
		}
		if total := c.answers.Bytes(); total > c.max {
			t.Fatalf("%d bytes are cached, at most %d should be", total, c.max)
		}
	}
	if c.len() < 3 {
		t.Errorf("%d answers are cached", c.len())
	}
}
