//go:build !nosinks

package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// setPolicy sets how a topic is cleaned.
func setPolicy(c *kfake.Cluster, topic, policy string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}, topic)
	return err
}

// TestRecord sees what a consumer sees of a row.
func TestRecord(t *testing.T) {
	t.Parallel()
	for _, compression := range Compressions {
		c := newCluster(t)
		s := newSink(t, c, func(o *Options) { o.Compression = compression })
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), rangeOf(testStore, shop, 5, 5, "a")); err != nil {
			t.Fatal(err)
		}
		rows := committed(t, c, testTopic)
		if len(rows) != 1 {
			t.Fatalf("%s: %d records", compression, len(rows))
		}
		r := rows[0]
		want := map[string]string{"seq": "5", "store": "12345678901234567890", "id": "shop-5-a"}
		if got := headersOf(r); string(r.Key) != "shop" || string(r.Value) != `{"id":"shop-5-a","seq":5,"site":"shop","type":"track"}` || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s = %s, headers %v", compression, r.Key, r.Value, got)
		}
		// Another start reads its cursor, whatever it is compressed with.
		marks, err := opened(t, c).Newest(t.Context(), testStore, shop, math.MaxUint64, 10)
		if want := []sink.Mark{{Seq: 5, ID: "shop-5-a", Received: 1_700_000_000_005}}; err != nil || !slices.Equal(marks, want) {
			t.Errorf("%s: %v, %v", compression, marks, err)
		}
	}
}

// TestOrder sends ranges of two sites, many batches each: each row is there once and in order, in the
// partition where every client of Kafka looks for its key.
func TestOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	s.batchMax = 1000
	news := sink.Site{Number: 7, Name: "news.example"}
	for i := range uint64(5) {
		for _, site := range []sink.Site{shop, news} {
			if err := s.Send(t.Context(), rangeOf(testStore, site, i*200+1, i*200+200, "a")); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantRows(t, c, shop, 1, 1000)
	wantRows(t, c, news, 1, 1000)
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(testTopic)
	for _, r := range committed(t, c, testTopic) {
		if want := partitioner.Partition(&kgo.Record{Key: r.Key}, 4); int(r.Partition) != want {
			t.Fatalf("%s is in partition %d, not in %d", r.Key, r.Partition, want)
		}
	}
}

func TestPartitionOf(t *testing.T) {
	t.Parallel()
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	rng := random(t)
	for range 2000 {
		key := make([]byte, 1+rng.IntN(20))
		for i := range key {
			key[i] = byte(rng.Uint32())
		}
		n := 1 + rng.IntN(50)
		if got, want := partitionOf(key, n), partitioner.Partition(&kgo.Record{Key: key}, n); int(got) != want {
			t.Fatalf("%q of %d: %d, want %d", key, n, got, want)
		}
	}
}

// TestSameRangeAgain sends what Kafka has already, in the same process and after a start.
func TestSameRangeAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	for range 2 {
		for _, again := range []*Sink{s, opened(t, c)} {
			if err := again.Send(t.Context(), rangeOf(testStore, shop, 1, 50, "a")); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A range that was halved, and of which one half has arrived.
	s = opened(t, c)
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 41, 60, "a")); err != nil {
		t.Fatal(err)
	}
	// A range out of which a deletion has taken rows since.
	r := rangeOf(testStore, shop, 41, 80, "a")
	for range 15 {
		dropRow(r, 3)
	}
	if err := opened(t, c).Send(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 80)
}

// dropRow takes a row out of a range.
func dropRow(r *sink.Range, i int) {
	cut := len(r.Line(i))
	start := r.Ends[i] - cut
	r.Lines = slices.Delete(r.Lines, start, start+cut)
	r.Ends = slices.Delete(r.Ends, i, i+1)
	for j := i; j < len(r.Ends); j++ {
		r.Ends[j] -= cut
	}
	r.Seqs, r.IDs, r.Received = slices.Delete(r.Seqs, i, i+1), slices.Delete(r.IDs, i, i+1), slices.Delete(r.Received, i, i+1)
}

// TestDelete sees the records of deletions, and that their rows are no marks any more.
func TestDelete(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 20, "a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), testStore, shop, []sink.Span{{First: 3, Last: 3}, {First: 19, Last: 20}}); err != nil {
		t.Fatal(err)
	}
	marks, err := opened(t, c).Newest(t.Context(), testStore, shop, math.MaxUint64, 2)
	if err != nil || len(marks) != 2 || marks[0].Seq != 18 || marks[1].Seq != 17 {
		t.Errorf("%v, %v", marks, err)
	}
	var many []sink.Span
	for i := range uint64(spansMost + 5) {
		many = append(many, sink.Span{First: 2 * i, Last: 2 * i})
	}
	if err := s.Delete(t.Context(), testStore, shop, many); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteSite(t.Context(), testStore, shop); err != nil {
		t.Fatal(err)
	}
	var headers, values []string
	for _, r := range committed(t, c, testTopic)[20:] {
		h := headersOf(r)
		if h["store"] != "12345678901234567890" || string(r.Key) != "shop" {
			t.Errorf("%s: %v", r.Key, h)
		}
		headers, values = append(headers, h["delete"]), append(values, string(r.Value))
	}
	if len(headers) != 4 || headers[0] != "3,19-20" || headers[3] != "*" || values[0] != `{"site":"shop","delete":{"store":"12345678901234567890","seqs":[[3,3],[19,20]]}}` ||
		values[3] != `{"site":"shop","delete":{"store":"12345678901234567890","all":true}}` {
		t.Errorf("%.100q\n%.200q", headers, values)
	}
	if n := strings.Count(headers[1]+","+headers[2], ",") + 1; n != len(many) {
		t.Errorf("%d of %d spans", n, len(many))
	}
	if marks, err := s.Newest(t.Context(), testStore, shop, math.MaxUint64, 2); err != nil || len(marks) > 0 {
		t.Errorf("after the site: %v, %v", marks, err)
	}
	// The rows after it come as before.
	if err := opened(t, c).Send(t.Context(), rangeOf(testStore, shop, 21, 22, "a")); err != nil {
		t.Fatal(err)
	}
}

// TestMarks sees that rows long past are named, too, in a bounded number.
func TestMarks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	last := uint64(0)
	for _, n := range []uint64{1, 1, 5000, 3, 20000, 1} {
		if err := s.Send(t.Context(), rangeOf(testStore, shop, last+1, last+n, "a")); err != nil {
			t.Fatal(err)
		}
		last += n
	}
	marks, err := opened(t, c).Newest(t.Context(), testStore, shop, math.MaxUint64, 1000)
	if err != nil || len(marks) > marksMax || len(marks) < 15 {
		t.Fatalf("%d marks: %v", len(marks), err)
	}
	for i, m := range marks {
		if want := fmt.Sprintf("shop-%d-a", m.Seq); m.ID != want || m.Received != 1_700_000_000_000+int64(m.Seq) {
			t.Errorf("%+v", m)
		}
		if i > 0 && m.Seq >= marks[i-1].Seq {
			t.Errorf("%d after %d", m.Seq, marks[i-1].Seq)
		}
		if back := last - m.Seq; i > 0 && back > 4*max(last-marks[i-1].Seq, 8) {
			t.Errorf("nothing between %d and %d rows back", last-marks[i-1].Seq, back)
		}
	}
	if oldest := marks[len(marks)-1].Seq; oldest > last/2 {
		t.Errorf("the oldest mark is %d of %d", oldest, last)
	}
}

// TestCompacted reads a cursor topic of which Kafka has dropped what is no longer of use.
func TestCompacted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	for i := range uint64(20) {
		if err := s.Send(t.Context(), rangeOf(testStore, shop, i+1, i+1, "a")); err != nil {
			t.Fatal(err)
		}
	}
	c.Compact()
	late := opened(t, c)
	if err := late.Send(t.Context(), rangeOf(testStore, shop, 15, 25, "a")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 25)
}

// TestManyStores has several cairns send to one topic.
func TestManyStores(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for store := range uint64(4) {
		s := opened(t, c)
		for i := range uint64(3) {
			if err := s.Send(t.Context(), rangeOf(store+1, shop, i*10+1, i*10+10, fmt.Sprint(store))); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := map[string]bool{}
	for _, r := range committed(t, c, testTopic) {
		h := headersOf(r)
		seen[h["store"]+" "+h["seq"]] = true
	}
	if len(seen) != 120 {
		t.Errorf("%d rows", len(seen))
	}
	// None of them keeps in memory what the others have sent.
	s := opened(t, c)
	for range 2 { // the second time it has read the topic before
		for store := uint64(1); store <= 2; store++ {
			if marks, err := s.Newest(t.Context(), store, shop, math.MaxUint64, 1); err != nil || len(marks) != 1 || marks[0].Seq != 30 {
				t.Errorf("store %d: %v, %v", store, marks, err)
			}
		}
	}
	// A range that goes again adds nothing, although the store of another one was read in between.
	if err := s.Send(t.Context(), rangeOf(1, shop, 31, 40, "0")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Newest(t.Context(), 3, shop, math.MaxUint64, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), rangeOf(1, shop, 31, 40, "0")); err != nil {
		t.Fatal(err)
	}
	if n := len(committed(t, c, testTopic)); n != 130 {
		t.Errorf("%d rows, want 130", n)
	}
	if n := len(s.cursors.sites); n != 3 {
		t.Errorf("%d cursors are kept, want those of 3 stores", n)
	}
}

// TestCursorOfOthers sees that what somebody else writes into the topic is passed over.
func TestCursorOfOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, r := range []*kgo.Record{{Value: []byte("x")}, {Key: []byte(strings.Repeat("k", 1000)), Value: []byte("{}")}, {Key: []byte("1/1"), Value: []byte(`{"store":1}`)}, {Key: []byte("1/2")}} {
		r.Topic = testTopic + cursorSuffix
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := opened(t, c).Send(t.Context(), rangeOf(1, shop, 1, 5, "a")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, shop, 1, 5)
}

// TestCursorValue binds the value of a cursor to what is documented.
func TestCursorValue(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 3, "a")); err != nil {
		t.Fatal(err)
	}
	all := committed(t, c, s.cursorTopic)
	var got cursor
	if len(all) != 1 || json.Unmarshal(all[0].Value, &got) != nil {
		t.Fatalf("%d records", len(all))
	}
	if string(all[0].Key) != "12345678901234567890/1" || got.First != 1 || got.Last != 3 || got.Rows != 3 || got.Site != "shop" || got.By != s.by || len(got.Marks) != 3 {
		t.Errorf("%s = %s", all[0].Key, all[0].Value)
	}
	if all[0].Timestamp.Before(time.Now().Add(-time.Minute)) {
		t.Errorf("its time is %v", all[0].Timestamp)
	}
}
