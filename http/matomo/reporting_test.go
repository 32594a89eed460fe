package matomo

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// reported are the sites of these tests. Their tokens are "one", "two" and "three"; "all"
// is the admin's token.
var reported = []*dialect.Site{
	{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}, Settings: []any{&Compiled{hosts: []string{"shop.example", "www.shop.example:8443"}}}},
	{Site: query.Site{ID: 2, Name: "blog", Location: time.FixedZone("Mars/Phobos", 60)}, Settings: []any{&Compiled{hosts: []string{"https://blog.example", "shop.example"}}}},
	{Site: query.Site{ID: 30, Name: "bare"}},
}

func findReported(c dialect.Credential) *dialect.Site {
	for i, token := range []string{"one", "two", "three"} {
		site := reported[i]
		id := []string{"1", "2", "30"}[i]
		if (c.Secret == token || c.Secret == "all") && (c.ID == id || c.ID == "") && c.Kind == dialect.CredentialSiteID {
			return site
		}
	}
	return nil
}

func ask(t testing.TB, o Options, method, target string, header map[string]string, form string) *dialect.Response {
	t.Helper()
	req, err := dialecttest.NewRequest(method, target, header, []byte(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Find = findReported
	var res dialect.Response
	if err := New(o).Read(context.Background(), req, nil, &res); err != nil {
		t.Fatal(err)
	}
	return &res
}

func TestReporting(t *testing.T) {
	all := Options{Sites: []uint32{1, 2, 30}}
	const (
		shop = `{"idsite":"1","name":"shop","main_url":"http://shop.example","timezone":"UTC","ecommerce":"1","sitesearch":"1","type":"website"}`
		blog = `{"idsite":"2","name":"blog","main_url":"https://blog.example","timezone":"Mars/Phobos","ecommerce":"1","sitesearch":"1","type":"website"}`
		bare = `{"idsite":"30","name":"bare","main_url":"http://bare","timezone":"UTC","ecommerce":"1","sitesearch":"1","type":"website"}`
		none = `{"result":"error","message":`
	)
	for name, test := range map[string]struct {
		call    string // after module=API&format=json&
		options Options
		want    string // a "…" at the end: the answer begins with this
	}{
		"a site":                                {"method=SitesManager.getSiteFromId&idSite=1&token_auth=one", all, shop},
		"a site, by the admin":                  {"method=SitesManager.getSiteFromId&idSite=2&token_auth=all", all, blog},
		"a site without hosts":                  {"method=SitesManager.getSiteFromId&idSite=30&token_auth=three", all, bare},
		"another site":                          {"method=SitesManager.getSiteFromId&idSite=2&token_auth=one", all, none + `"there is no site 2 for this token_auth"}`},
		"no token":                              {"method=SitesManager.getSiteFromId&idSite=1", all, none + "…"},
		"no site":                               {"method=SitesManager.getSiteFromId&token_auth=one", all, none + "…"},
		"by host":                               {"method=SitesManager.getSitesIdFromSiteUrl&url=blog.example&token_auth=all", all, `[{"idsite":"2"}]`},
		"by url":                                {"method=SitesManager.getSitesIdFromSiteUrl&url=https%3A%2F%2Fwww.Blog.example%2Fa%3Fb&token_auth=all", all, `[{"idsite":"2"}]`},
		"by host with a port":                   {"method=SitesManager.getSitesIdFromSiteUrl&url=www.shop.example:8443&token_auth=all", all, `[{"idsite":"1"}]`},
		"a host of two sites":                   {"method=SitesManager.getSitesIdFromSiteUrl&url=shop.example&token_auth=all", all, `[{"idsite":"1"},{"idsite":"2"}]`},
		"a host of two sites, one of the token": {"method=SitesManager.getSitesIdFromSiteUrl&url=shop.example&token_auth=two", all, `[{"idsite":"2"}]`},
		"an unknown host":                       {"method=SitesManager.getSitesIdFromSiteUrl&url=else.example&token_auth=all", all, `[]`},
		"a host, a wrong token":                 {"method=SitesManager.getSitesIdFromSiteUrl&url=shop.example&token_auth=wrong", all, `[]`},
		"no host":                               {"method=SitesManager.getSitesIdFromSiteUrl&token_auth=all", all, `[]`},
		"any host of the only site":             {"method=SitesManager.getSitesIdFromSiteUrl&url=else.example&token_auth=one", Options{Sites: []uint32{1}, AnySite: true}, `[{"idsite":"1"}]`},
		"every site":                            {"method=SitesManager.getAllSites&token_auth=all", all, `{"1":` + shop + `,"2":` + blog + `,"30":` + bare + `}`},
		"every site of a token":                 {"method=SitesManager.getAllSites&token_auth=two", all, `{"2":` + blog + `}`},
		"every site of no token":                {"method=SitesManager.getAllSites", all, `{}`},
		"the version":                           {"method=API.getMatomoVersion", all, `{"value":"5.0.0"}`},
		"the version, by its old name":          {"method=API.getPiwikVersion", all, `{"value":"5.0.0"}`},
		"adding a site":                         {"method=SitesManager.addSite&siteName=x&urls%5B0%5D=http%3A%2F%2Fx&token_auth=all", all, none + `"sites are added…`},
		"a login":                               {"method=UsersManager.createAppSpecificTokenAuth&userLogin=a&passwordConfirmation=b", all, none + `"there are no logins…`},
		"an older login":                        {"method=UsersManager.getTokenAuth&userLogin=a&md5Password=b", all, none + `"there are no logins…`},
		"a report":                              {"method=VisitsSummary.get&idSite=1&token_auth=one", all, none + `"the method VisitsSummary.get is not…`},
		"no method":                             {"", all, none + "…"},
		"a long method":                         {"method=" + strings.Repeat("x", 9999), all, none + `"the method ` + strings.Repeat("x", 100) + ` is…`},
		"the last value counts":                 {"method=a&idSite=9&method=SitesManager.getSiteFromId&idSite=1&token_auth=one", all, shop},
	} {
		call := "module=API&format=json&" + test.call
		want, open := strings.CutSuffix(test.want, "…")
		form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
		for how, res := range map[string]*dialect.Response{
			"form":  ask(t, test.options, "POST", "/", form, call),
			"query": ask(t, test.options, "GET", "/index.php?"+call, nil, ""),
		} {
			body := string(res.Body)
			if res.Status != 200 || res.ContentType != "application/json; charset=utf-8" || body != want && !(open && strings.HasPrefix(body, want)) {
				t.Errorf("%s, %s: %d %s\nwant %s", name, how, res.Status, body, test.want)
			}
		}
	}
	res := ask(t, all, "GET", "/?module=API&method=SitesManager.getSiteFromId&idSite=1", map[string]string{"Authorization": "Bearer one"}, "")
	if string(res.Body) != shop {
		t.Errorf("with a bearer token: %s", res.Body)
	}
}

func FuzzReporting(f *testing.F) {
	f.Add("module=API&format=json&method=SitesManager.getSitesIdFromSiteUrl&filter_limit=-1&token_auth=all&url=shop.example", "")
	f.Add("idSite=1&method=SitesManager.getSiteFromId", "token_auth=one&method=%zz")
	f.Add("method=SitesManager.getAllSites&token_auth=all", "=&&;=%")
	f.Fuzz(func(t *testing.T, form, query string) {
		req := &dialect.Request{Method: "POST", Path: "/", RawQuery: query, Body: []byte(form), Header: func(string) string { return "" }, Find: findReported}
		var res dialect.Response
		if err := New(Options{Sites: []uint32{1, 2, 30}}).Read(context.Background(), req, nil, &res); err != nil || res.Status != 200 || !json.Valid(res.Body) {
			t.Errorf("%d %q %v", res.Status, res.Body, err)
		}
	})
}
