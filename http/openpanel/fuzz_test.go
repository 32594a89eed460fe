package openpanel

import (
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// Every body is refused with a FieldError or makes events that the store can check. Nothing
// panics, and a refused body leaves no records in the batch.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		track(`{"name":"a","profileId":1,"groups":["g"],"properties":{"__path":"https://a.example/?ref=x","__referrer":"http://b.example","__revenue":1,"__identify":{"profileId":"p","a":1},"__timestamp":"2026-11-20T12:00:00Z"}}`),
		`{"type":"identify","payload":{"profileId":"1","email":"a@b.example","avatar":"http://x/","properties":{"a":{"b":[1]}}}}`,
		`{"type":"increment","payload":{"profileId":"1","property":"a.b","value":0.5}}`,
		`{"type":"group","payload":{"id":"g","type":"t","name":"n","properties":{"name":1}}}`,
		`{"type":"assign_group","payload":{"groupIds":["a","b"]}}`,
		`{"type":"alias","payload":{"profileId":"1","alias":"2"}}`,
		`{"type":"replay","payload":{"chunk_index":0,"events_count":1,"is_full_snapshot":true,"started_at":"2026-11-20","ended_at":"2026-11-20","payload":""}}`,
		`{"name":"a","timestamp":1}`, `{"profileId":"x","property":"n"}`, ``, `[`, `{"type":"track","payload":{"name":"a","properties":{"a":` + `[[[[[[[[[[[[` + `]]]]]]]]]]]]}}}`,
	} {
		f.Add(uint8(0), body)
		f.Add(uint8(2), body)
	}
	paths := []string{"/track", "/api/track", "/event", "/profile", "/profile/increment", "/profile/decrement"}
	f.Fuzz(func(t *testing.T, path uint8, body string) {
		req, err := dialecttest.NewRequest("POST", paths[int(path)%len(paths)], nil, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		req.ReceivedUnixMilli = received.UnixMilli()
		var b dialect.Batch
		d := New()
		for range 2 { // the second round reuses memory
			b.Records = b.Records[:0]
			if err := d.Decode(req, &b); err != nil {
				if len(b.Records) != 0 {
					t.Fatalf("%d records with the error %v", len(b.Records), err)
				}
				if !isField(err) {
					t.Fatalf("the error is a %T, not a FieldError", err)
				}
				return
			}
		}
		if len(b.Records) == 0 || len(b.Records) > 2 {
			t.Fatalf("%d records", len(b.Records))
		}
		outcomes := make([]dialect.Outcome, len(b.Records))
		for i := range b.Records {
			outcomes[i].Err = event.Validate(&b.Records[i].Event)
			if outcomes[i].Err != nil {
				outcomes[i].Status = event.Rejected
			}
		}
		var res dialect.Response
		d.Reply(req, &res, dialect.Result{Outcomes: outcomes, Records: b.Records})
		if res.Status != 200 && res.Status != 202 && res.Status != 400 {
			t.Fatalf("status %d", res.Status)
		}
	})
}

func isField(err error) bool {
	_, ok := err.(*event.FieldError)
	return ok
}
