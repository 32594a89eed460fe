package segment

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"cairn/http/dialect"
)

// A decoder that knows the contexts of the messages before reads a message as a decoder that
// knows nothing.
func TestKnownContextsChangeNothing(t *testing.T) {
	decode := func(body string, b *dialect.Batch) []dialect.Record {
		t.Helper()
		d := New(nil)
		req := request(t, "POST", "/v1/batch", body)
		route(t, d, req)
		b.Records = nil
		if err := d.Decode(req, b); err != nil {
			t.Fatal(err)
		}
		return b.Records
	}
	var warm dialect.Batch
	known := 0
	for round := range 40 {
		rng := rand.New(rand.NewPCG(34, uint64(round)))
		forms := rand.New(rand.NewPCG(35, uint64(round/10)))
		campaign := []string{`"campaign":{"source":"news","name":"n%d"},`, `"traits":{"plan":"p%d"},`, `"location":{"country":"de","latitude":%d,"longitude":-1.5},`, `"os":{"name":"os","version":%d},"referrer":{"url":"https://r.example/"},`}[forms.IntN(4)]
		var messages []string
		for i := range 50 {
			one := func(list ...string) string { return list[rng.IntN(len(list))] }
			kind := one(`"type":"page","properties":{"url":"https://p.example/"}`, `"type":"track","event":"e"`, `"type":"identify","traits":{"a":1}`)
			context := fmt.Sprintf(`{"page":{"path":"/p/%d","referrer":"%s","title":"%s"},"userAgent":"%s","userAgentData":{"brands":[{"brand":"b","version":"%d"}],"mobile":%s},`+campaign+`"locale":"%s","ip":"%s","sessionId":"s%d","groupId":%s,"screen":{"width":%d,"height":%d}}`,
				rng.IntN(100), one("", "https://r.example/"), one("Shop", "caf\u00e9", `a\"b`, `\u00e9`), one("agent", "other"), rng.IntN(9), one("true", "false"), rng.IntN(9), one("de_DE", "en-US"), one("1.2.3.4", "", "no"), rng.IntN(9), one(`"g"`, "7"), rng.IntN(2000), rng.IntN(2000000))
			messages = append(messages, fmt.Sprintf(`{%s,"userId":"u","messageId":"m%d-%d","context":%s}`, kind, round, i, context))
		}
		top := ""
		if round%2 == 1 {
			top = `"context":{"locale":"fr_FR","page":{"search":"?utm_source=s"},"app":{"name":"` + strings.Repeat("a", 100) + `"}},`
			messages = append(messages, `{"type":"page","userId":"u","messageId":"m","properties":{"title":"t"}}`, `{"type":"track","event":"e","userId":"u","messageId":"n"}`)
		}
		got := decode(`{`+top+`"batch":[`+strings.Join(messages, ",")+`]}`, &warm)
		d := warm.Scratch.(*decoder)
		for i, m := range messages {
			var cold dialect.Batch
			want := decode(`{`+top+`"batch":[`+m+`]}`, &cold)[0]
			want.Err, got[i].Err = nil, nil
			if !reflect.DeepEqual(got[i], want) {
				t.Fatalf("%s\n got %+v\nwant %+v", m, got[i], want)
			}
			context := got[i].Event.Extra.Get("context")
			if about, end, _ := d.contexts.Find(context.Text, 0, nil); about != nil && end == len(context.Text) {
				known++
			}
		}
	}
	if known < 500 {
		t.Errorf("%d contexts were known: the test tests little", known)
	}
}
