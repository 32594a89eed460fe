package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Two requests that anybody can send with what a page contains. They once needed much
// more space in the store than their text. Now all of it is stored and found, the
// bounds of counting hold, and the server continues and starts again.
func TestEventsOverTheLimit(t *testing.T) {
	t.Parallel()
	server := startServer(t, t.TempDir(), configured(t, "[[site]]\nname = \"shop\"\norigins = [\"https://shop.example\"]\n")...)
	keys := server.keys()
	numbers := func(first, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprint(first+i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}

	// 133 KB: a key of 160 bytes and 24,001 numbers.
	body := `{"type":"track","payload":{"name":"e","properties":{"` + strings.Repeat("k", 160) + `":` + numbers(100_000, 24_001) + `}}}`
	header := http.Header{"Openpanel-Client-Id": {keys.ClientID}, "Origin": {"https://shop.example"}}
	status, answer, err := request("POST", server.url()+"/track", header, body)
	if err != nil || status != 200 {
		t.Errorf("OpenPanel: %d %s %v", status, answer, err)
	}

	// 141 KB: ten events, each with 27 objects around 1,501 numbers, and ten others.
	key := `{"` + strings.Repeat("k", 120) + `":`
	var batch []string
	for i := range 10 {
		nested := strings.Repeat(key, 27) + numbers(10_000+1501*i, 1501) + strings.Repeat("}", 27)
		batch = append(batch, fmt.Sprintf(`{"type":"track","event":"e","anonymousId":"a","messageId":"m%d","properties":%s}`, i, nested))
		batch = append(batch, fmt.Sprintf(`{"type":"track","event":"other","anonymousId":"a","messageId":"o%d"}`, i))
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(keys.WriteKey+":"))
	status, answer, err = request("POST", server.url()+"/v1/batch", http.Header{"Authorization": {basic}}, `{"batch":[`+strings.Join(batch, ",")+`]}`)
	if err != nil || status != 200 {
		t.Fatalf("Segment: %d %s %v", status, answer, err)
	}

	server.restart()
	var count struct{ Events int }
	if server.get("/api/v1/count?metrics=events", &count); count.Events != 21 {
		t.Errorf("%d events after a start", count.Events)
	}
	if server.get("/api/v1/count?metrics=events&prop."+strings.Repeat("k", 160)+"=124000", &count); count.Events != 1 {
		t.Errorf("the last value of the array is found in %d events", count.Events)
	}
	for value, want := range map[string]int{"100999": 1, "101000": 0} { // the 1,000th value, and one more
		var counters struct {
			Rows []struct{ Value string }
		}
		if server.get("/api/v1/counters?value="+value+"&property="+strings.Repeat("k", 160), &counters); len(counters.Rows) != want {
			t.Errorf("%s counts in %d rows, want %d", value, len(counters.Rows), want)
		}
	}
	server.finish()
}
