package opentracker

import (
	"bytes"
	"encoding/json"
	"image/gif"
	"strings"
	"testing"

	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

func TestGolden(t *testing.T) {
	dialecttest.Golden{Dialect: New()}.Run(t, "testdata/*.txt")
}

func TestPixel(t *testing.T) {
	img, err := gif.Decode(strings.NewReader(pixel))
	if err != nil || img.Bounds().Dx() != 1 || img.Bounds().Dy() != 1 {
		t.Fatalf("%v %v", img, err)
	}
	if _, _, _, alpha := img.At(0, 0).RGBA(); alpha != 0 {
		t.Error("the pixel is not transparent")
	}
}

func TestCallbacks(t *testing.T) {
	for name, want := range map[string]bool{
		"jQueryCallback": true, "jQuery111_123": true, "angular.callbacks._0": true, "$": true, "_": true,
		strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
		"": false, "1a": false, "a.1": false, "a..b": false, ".a": false, "a.": false, "a b": false, "alert(1)": false,
		"a;b": false, "a[0]": false, "ä": false, "a\n": false, "<a>": false, "a-b": false,
	} {
		if isFunction(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}

// JSON and JSONP escape the values of clients, so that no page runs them as script.
func TestAnswersAreSafe(t *testing.T) {
	s := dialecttest.Golden{Dialect: New()}.Session()
	evil := "%3C/script%3E%E2%80%A8"
	for _, query := range []string{"uid=" + evil[:18] + "&sid=s&json", "uid=%3C%3E%26&sid=s&callback=f"} {
		_, res := s.Do(request(t, "GET", "/?si=app&"+query, "", ""))
		if res.Status != 200 || bytes.ContainsAny(res.Body, "<>&\u2028") {
			t.Errorf("%s: %d %s", query, res.Status, res.Body)
		}
	}
}

// A failure before Decode still gets an answer in the requested format.
func TestFailuresBeforeDecode(t *testing.T) {
	for query, want := range map[string]string{
		"":                    "error: Too Many Requests",
		"json":                `{"error":"Too Many Requests"}`,
		"callback=f":          `f({"error":"Too Many Requests"});`,
		"callback=alert(1)":   "error: Too Many Requests",
		"pix":                 pixel,
		"pix&callback=f&json": `f({"error":"Too Many Requests"});`,
	} {
		var res dialect.Response
		New().Reply(request(t, "GET", "/?si=app&"+query, "", ""), &res, dialect.Result{Failure: dialect.RateLimited})
		if res.Status != 429 || string(res.Body) != want {
			t.Errorf("%s: %d %q", query, res.Status, res.Body)
		}
	}
}

func TestReadParameters(t *testing.T) {
	s := dialecttest.Golden{Dialect: New()}.Session()
	for _, query := range []string{
		"uid=a&sid=1&country=Germany&k==SUM(1)", "uid=b&sid=2&country=AT&k=-5", "uid=b&sid=2&country=AT&k=say+%22hi%22,+you",
		"uid=c&sid=3&country=Atlantis&k=%3Cb%3E&browser=Kiosk",
	} {
		if _, res := s.Do(request(t, "GET", "/?si=app&"+query, "", "")); res.Status != 200 {
			t.Fatalf("%s: %s", query, res.Body)
		}
	}
	get := func(query string) *dialect.Response {
		_, res := s.Do(request(t, "GET", "/api/counts?site=app&"+query, "", ""))
		return res
	}
	values := func(query string) string {
		var answer struct {
			Rows int
			Data []struct{ Value, Segment string }
		}
		res := get(query)
		if err := json.Unmarshal(res.Body, &answer); err != nil {
			t.Fatalf("%s: %v in %s", query, err, res.Body)
		}
		var out []string
		for _, row := range answer.Data {
			out = append(out, strings.TrimSuffix(row.Value+"/"+row.Segment, "/"))
		}
		return strings.Join(out, " ")
	}
	for query, want := range map[string]string{
		"property=country":                                        "Austria Atlantis Germany",
		"property=country!":                                       "Austria Atlantis Germany",
		"property=country&sort=value":                             "Atlantis Austria Germany",
		"property=country&limit=1":                                "Austria",
		"property=country&offset=1&limit=1":                       "Atlantis",
		"property=country&offset=9":                               "",
		"property=country&value=DE":                               "Germany",
		"property=country&value=germany":                          "Germany",
		"property=country&value=DE&value=Atlantis":                "Atlantis Germany",
		"property=browser&segment=country":                        "Kiosk/Atlantis",
		"property=k&segment=country&filter=Germany":               "=SUM(1)/Germany",
		"property=k&segment=country&filter=DE":                    "=SUM(1)/Germany",
		"property=k&segment=country&filter=none&value=-5":         "-5",
		"property=k&segment=country&filter=showAllSorts&value=-5": "-5/Austria",
		"property=k&segment=nothing":                              "",
		"property=k&value=&value=-5":                              "-5",
		"property=k&from=2026-11-20&to=2026-11-20&value=-5":       "-5",
		"property=k&from=2026-11-21":                              "",
		"property=k&to=2026-11-19":                                "",
		"property=k&date=2026-11-20&value=-5":                     "-5",
		"property=k&interval=day&value=-5":                        "-5",
		"property=k&interval=day&to=2026-11-20&value=-5":          "-5",
	} {
		if got := values(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{
		"property=k&limit=0", "property=k&limit=10001", "property=k&limit=x", "property=k&offset=-1", "property=k&sort=name",
		"property=k&interval=year", "interval=day", "property=k&dataType=xml",
		"value=1", "segment=country", "property=k&from=x", "property=k&callback=a(b)", "property=k&from=2026-11-21&to=2026-11-20",
		strings.Repeat("a=1&", 513), "property=k" + strings.Repeat("&value=1", 257),
	} {
		if res := get(query); res.Status != 400 || !strings.HasPrefix(string(res.Body), `{"error":"`) {
			t.Errorf("%.40s: %d %s", query, res.Status, res.Body)
		}
	}
	// CSV contains no formulas, and HTML escapes markup in values.
	res := get("property=k&dataType=csv&sort=value")
	if want := "value,event,session,user\r\n-5,1,1,1\r\n<b>,1,1,1\r\n'=SUM(1),1,1,1\r\n\"say \"\"hi\"\", you\",1,1,1\r\n"; string(res.Body) != want {
		t.Errorf("csv: %q", res.Body)
	}
	if res = get("property=k&dataType=html"); !strings.Contains(string(res.Body), "<td>&lt;b&gt;</td>") || strings.Contains(string(res.Body), "<b>") {
		t.Errorf("html: %s", res.Body)
	}
	if strings.Contains(string(res.Body), "db-ip.com") {
		t.Errorf("html: %s", res.Body)
	}
	for _, query := range []string{"property=country&dataType=html", "property=k&segment=country&dataType=html"} {
		if res := get(query); !strings.Contains(string(res.Body), `<a href="https://db-ip.com">`) {
			t.Errorf("%s: the page lists countries without naming their source: %s", query, res.Body)
		}
	}
	if res = get("property=k&callback=f&value=%3Cb%3E"); !strings.HasPrefix(string(res.Body), `f({"site"`) || !strings.HasSuffix(string(res.Body), "});") || bytes.ContainsAny(res.Body, "<>") {
		t.Errorf("jsonp: %s", res.Body)
	}
	// A POST gets the same answer as a GET.
	_, post := s.Do(request(t, "POST", "/opentracker/counts", "application/x-www-form-urlencoded", "si=app&property=country"))
	if string(post.Body) != string(get("property=country").Body) {
		t.Errorf("POST: %s", post.Body)
	}
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		target, bearer string
		want           dialect.Credential
	}{
		{"/api/counts?site=app", "K", dialect.Credential{Kind: dialect.CredentialKey, ID: "app", Secret: "K"}},
		{"/api/counts?site=app&key=K", "", dialect.Credential{Kind: dialect.CredentialKey, ID: "app", Secret: "K"}},
		{"/api/counts?si=app&key=K", "", dialect.Credential{Kind: dialect.CredentialKey, ID: "app", Secret: "K"}},
		{"/api/counts?site=app&ticketId=T", "", dialect.Credential{Kind: dialect.CredentialTicket, ID: "app", Secret: "T"}},
		{"/api/counts?site=app&login=app&password=P", "", dialect.Credential{Kind: dialect.CredentialKey, ID: "app", Secret: "P"}},
		{"/api/management/login_user?login=app&password=P", "", dialect.Credential{Kind: dialect.CredentialKey, ID: "app", Secret: "P"}},
		{"/api/counts?site=app", "", dialect.Credential{Kind: dialect.CredentialKey, ID: "app"}},
	} {
		header := map[string]string{}
		if c.bearer != "" {
			header["Authorization"] = "bearer " + c.bearer
		}
		req, err := dialecttest.NewRequest("GET", c.target, header, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := New().(dialect.Credentialed).Credential(req); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.target, got, c.want)
		}
	}
}
