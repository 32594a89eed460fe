package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Two requests that anybody can send, with what stands in a page, and that need much
// more room in the store than their text: they are refused, the other events of a batch
// are kept, and the server goes on and starts again.
func TestEventsOverTheLimit(t *testing.T) {
	server := startServer(t, t.TempDir(), configured(t, "[[site]]\nname = \"shop\"\norigins = [\"https://shop.example\"]\n")...)
	keys := server.keys()
	numbers := func(first, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprint(first+i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	const msg = "properties: have at most 1048576 bytes with each value under its whole path"

	// 133 KB: a key of 160 bytes and 24,001 numbers.
	body := `{"type":"track","payload":{"name":"e","properties":{"` + strings.Repeat("k", 160) + `":` + numbers(100_000, 24_001) + `}}}`
	header := http.Header{"Openpanel-Client-Id": {keys.ClientID}, "Origin": {"https://shop.example"}}
	status, answer, err := request("POST", server.url()+"/track", header, body)
	if want := `{"status":400,"error":"Bad Request","message":"` + msg + `"}`; err != nil || status != 400 || strings.TrimSpace(string(answer)) != want {
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
	var said struct {
		Errors []struct{ Details, MessageID string }
	}
	if jerr := json.Unmarshal(answer, &said); err != nil || jerr != nil || status != 207 || len(said.Errors) != 10 {
		t.Fatalf("Segment: %d %s %v", status, answer, err)
	}
	for i, e := range said.Errors {
		if e.Details != msg || e.MessageID != fmt.Sprint("m", i) {
			t.Errorf("error %d: %+v", i, e)
		}
	}

	server.restart()
	var count struct{ Events int }
	if server.get("/api/v1/count?metrics=events", &count); count.Events != 10 {
		t.Errorf("%d events after a start", count.Events)
	}
	server.finish()
}
