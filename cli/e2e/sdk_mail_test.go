package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The mail of a week of a shop, shown by a real browser. CAIRN_PICTURES=FOLDER leaves a picture of it there,
// mail.jpg: "CAIRN_SDK=1 CAIRN_PICTURES=docs/pictures go test -run '^TestMailIsShown$' ./cli/e2e".
func TestMailIsShown(t *testing.T) {
	t.Parallel()
	config := "public_url = \"https://stats.example\"\n" + berlin
	s := newSDK(t, "dashboard", config)
	s.sowShop()
	args := append([]string{"overview", "-range", "lastweek", "-compare", "previous", "-format", "mail", "-mail-to", "you@example.com"}, s.options.Args...)
	text, code := s.cairnCommand("report", args...)
	if code != 0 {
		t.Fatal(code, text)
	}
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	page := ""
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			body, err := io.ReadAll(quotedprintable.NewReader(part))
			if err != nil {
				t.Fatal(err)
			}
			page = string(body)
		}
	}
	file := filepath.Join(t.TempDir(), "mail.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	picture := os.Getenv("CAIRN_PICTURES")
	if picture != "" {
		if picture, err = filepath.Abs(filepath.Join(picture, "mail.jpg")); err != nil {
			t.Fatal(err)
		}
	}
	if text := strings.TrimSpace(s.node("mail.mjs", "MAIL="+file, "PICTURE="+picture)); text != "" {
		t.Log(text)
	}
}

// sowShop sends some thousand visits of the last week and the one before, in the zone of berlin.
func (s *testServer) sowShop() {
	s.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		s.Fatal(err)
	}
	now := time.Now().In(zone)
	monday := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone).AddDate(0, 0, -(int(now.Weekday())+6)%7)
	random := rand.New(rand.NewPCG(24, 5))
	of := func(words ...string) string { return words[random.IntN(len(words))] }
	var body strings.Builder
	for day := -14; day < 0; day++ {
		visits := 150 + 10*(day+14) + random.IntN(60)
		if (day+14)%7 > 4 {
			visits = visits * 6 / 10
		}
		for i := range visits {
			at := monday.AddDate(0, 0, day).Add(8*time.Hour + time.Duration(random.IntN(12*3600))*time.Second)
			who := fmt.Sprintf(`"anonymous":"p%d","session":"s%d.%d"`, random.IntN(2200), day, i)
			context := fmt.Sprintf(`"country":%q,"browser":%q`, of("DE", "DE", "DE", "DE", "US", "US", "FR", "CH", "AT", "JP"), of("Chrome", "Chrome", "Chrome", "Firefox", "Safari", "Safari", "Edge"))
			referrer := of("https://www.google.com/", "https://www.google.com/", "https://www.google.com/", "", "", "https://news.ycombinator.com/", "https://blog.example/tea")
			for range 1 + random.IntN(4) {
				path := of("/", "/", "/", "/tea", "/tea", "/pots", "/tea/green", "/tea/black", "/blog/how-to-steep", "/about", "/cart")
				fmt.Fprintf(&body, `{"type":"page","name":%q,%s,"time":%q,"context":{"url":"https://shop.example%s","referrer":%q,%s}}`+"\n", path, who, at.Format(time.RFC3339), path, referrer, context)
				at, referrer = at.Add(time.Duration(5+random.IntN(150))*time.Second), ""
			}
			if name := of("add_to_cart", "add_to_cart", "signup", "play_video", "", "", "", "", ""); name != "" {
				fmt.Fprintf(&body, `{"name":%q,%s,"time":%q,"context":{%s}}`+"\n", name, who, at.Format(time.RFC3339), context)
			}
		}
	}
	header := http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}
	if status, answer, err := request("POST", s.url()+"/api/v1/events", header, body.String()); err != nil || status != 200 {
		s.Fatalf("%d %.200s %v", status, answer, err)
	}
}
