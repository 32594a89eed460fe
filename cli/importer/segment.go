package importer

import (
	"encoding/base64"
	"errors"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/segment"
)

// This file reads raw messages of Segment, as its S3 destination writes them
// (segment-logs/SOURCE/DAY/*.gz). cairn's own Segment dialect decodes each one.

// segmentRaw is the preset. The messages are decoded by its rule, not by a map.
var segmentRaw = &preset{
	name: "segment", about: "Segment's raw messages (segment-logs/SOURCE/DAY/*.gz)", shapes: shapeJSON,
	needs:   []string{"type", "messageid|anonymousid|userid", "timestamp|originaltimestamp|receivedat"},
	columns: map[string]string{"*": "@"},
	finish:  finishSegment,
}

// segmentKey is the write key under which messages are decoded here. The server never sees it.
const segmentKey = "import"

var (
	segmentSite = &dialect.Site{Settings: []any{&segment.Settings{EventLimit: 256 << 10, BatchLimit: 8 << 20}}}
	segmentIn   = segment.New([]*dialect.Site{segmentSite})
	segmentAuth = "Basic " + base64.StdEncoding.EncodeToString([]byte(segmentKey+":"))
	segmentPath = &dialect.Route{Path: "/v1/import"}
)

func finishSegment(b *builder) error {
	received := int64(0)
	if text := b.text("receivedAt"); text != "" {
		received, _ = timeOf(text)
	}
	if received == 0 {
		if received, _ = timeOf(b.text("timestamp")); received == 0 {
			received, _ = timeOf(b.text("originalTimestamp"))
		}
	}
	if received == 0 {
		return errors.New("timestamp: is missing")
	}
	body := append([]byte(`{"batch":[`), event.AppendObject(nil, segmentMessage(b))...)
	req := &dialect.Request{
		Method: "POST", Path: segmentPath.Path, Route: segmentPath, Body: append(body, "]}"...), ReceivedUnixMilli: received,
		Header: func(name string) string {
			if name == "Authorization" {
				return segmentAuth
			}
			return ""
		},
		Find: func(dialect.Credential) *dialect.Site { return segmentSite },
	}
	batch := &b.batch
	batch.Reset()
	if err := segmentIn.Decode(req, batch); err != nil {
		return err
	}
	if len(batch.Records) != 1 {
		return errors.New("is not one message")
	}
	r := &batch.Records[0]
	if r.Err != nil {
		return r.Err
	}
	id := r.Event.MessageID
	if b.text("messageId") == "" {
		id = "" // the dialect made one, which differs each time
	}
	b.Event, b.source = r.Event, r.Source
	b.MessageID, b.Received = id, received
	if b.Time == 0 {
		b.Time = received
	}
	return nil
}

// segmentMessage is the message without the key under which it was sent.
func segmentMessage(b *builder) event.Object {
	o := make(event.Object, 0, len(b.vars))
	for _, m := range b.vars {
		if m.Key != "writeKey" {
			o = append(o, m)
		}
	}
	return o
}
