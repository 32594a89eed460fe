package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The browser tracker of /matomo.js in a real Chromium, on pages of another origin:
// what each call sends. A recorder takes the place of matomo.php.

// snippetHit is one hit as it reached the recorder.
type snippetHit struct {
	url.Values
	how string // "GET", "POST" with everything in the URL, "body" or "bulk"
}

// snippetRecorder separates the hits of each page by the path before matomo.php.
type snippetRecorder struct {
	mu   sync.Mutex
	hits map[string][]snippetHit
}

func (r *snippetRecorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	page, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	add := func(how, query string) {
		values, _ := url.ParseQuery(query)
		r.mu.Lock()
		r.hits[page] = append(r.hits[page], snippetHit{values, how})
		r.mu.Unlock()
	}
	var bulk struct{ Requests []string }
	switch {
	case strings.HasPrefix(string(body), "{"):
		if err := json.Unmarshal(body, &bulk); err != nil {
			add("bad bulk", string(body))
		}
		for _, q := range bulk.Requests {
			add("bulk", strings.TrimPrefix(q, "?"))
		}
	case len(body) > 0:
		add("body", string(body))
	default:
		add(req.Method, req.URL.RawQuery)
	}
	w.WriteHeader(204)
}

// of waits for n hits of a page, and a moment longer for hits that should not come.
func (r *snippetRecorder) of(page string, n int) []snippetHit {
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		got := len(r.hits[page])
		r.mu.Unlock()
		if got >= n {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.hits[page])
}

// common are parameters that nearly every hit has. A test of one of them names it.
var common = regexp.MustCompile(`^(idsite|rec|r|h|m|s|url|_id|pv_id|res|pdf|cookie|uadata|send_image|pf_\w+|ca)$`)

// text returns the hit's other parameters, "name=value …" ordered by name.
func (h snippetHit) text(also []string) string {
	var out []string
	for name := range h.Values {
		if slices.Contains(also, name) || len(also) == 0 && !common.MatchString(name) {
			out = append(out, name+"="+h.Get(name))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// snippetCase is one page: what it does, and what the tracker sends.
type snippetCase struct {
	name string
	body string   // HTML of the page
	head string   // script before the tracker is loaded, after the usual first calls
	run  string   // async script after it is loaded; its value is the result of the page
	also []string // the parameters to compare; none = all but the common ones
	want []string // the hits
	done string   // the result of the page as JSON, "" = not compared
	how  string   // how the first of want is sent
}

const content = `<div data-track-content data-content-name="ad" data-content-piece="ad.png"><a id="ad" href="/landing">Go</a></div>
<div class="matomoTrackContent" id="second"><img class="matomoContentPiece" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7" data-content-piece="two"><a class="matomoContentTarget" href="#there">Two</a><b id="beside">x</b></div>`

var snippetCases = []snippetCase{
	{name: "page view", head: `paq('trackPageView')`, want: []string{"action_name=Shop"}, how: "POST"},
	{name: "what every hit has", head: `paq('trackPageView')`, also: []string{"idsite", "rec", "send_image", "cookie"}, want: []string{"cookie=1 idsite=1 rec=1 send_image=0"}},
	{name: "url", head: `paq('trackPageView')`, also: []string{"url"}, want: []string{"url={{PAGE}}"}},
	{name: "title, url and referrer", head: `paq('setCustomUrl', '/a b?x=1#y'); paq('setDocumentTitle', 'Häs & more'); paq('setReferrerUrl', 'https://elsewhere.example/?q=1'); paq('trackPageView')`,
		also: []string{"action_name", "url", "urlref"}, want: []string{"action_name=Häs & more url={{ORIGIN}}/a%20b?x=1#y urlref=https://elsewhere.example/?q=1"}},
	{name: "a title of its own", head: `paq('setDocumentTitle', 'Kept'); paq('trackPageView', 'Mine'); paq('trackPageView')`, want: []string{"action_name=Mine", "action_name=Kept"}, how: "bulk"},
	{name: "url without fragment and parameters", head: `paq('discardHashTag', true); paq('setExcludedQueryParams', ['token']); paq('setCustomUrl', 'https://shop.example/p?a=1&token=x&b=2#top'); paq('trackPageView')`,
		also: []string{"url"}, want: []string{"url=https://shop.example/p?a=1&b=2"}},
	{name: "how to track comes first", head: `paq('trackPageView'); paq('setUserId', 'ada'); paq('disableCookies')`, also: []string{"uid", "cookie", "_id"}, want: []string{"cookie=0 uid=ada"}},
	{name: "a user comes and goes", run: `paq('setUserId', 'ada'); paq('trackPageView'); paq('resetUserId'); paq('trackPageView', 'after'); return tracker().getUserId()`,
		want: []string{"action_name=Shop uid=ada", "action_name=after"}, done: `""`},
	{name: "dimensions and variables", run: `paq('setCustomDimension', 1, 'gold'); paq('setCustomVariable', 1, 'plan', 'pro', 'visit'); paq('setCustomVariable', 2, 'kind', 'tea', 'page');
		paq('trackPageView', '', {dimension2: 'here'}); paq('deleteCustomDimension', 1); paq('deleteCustomVariable', 1, 'visit'); paq('deleteCustomVariable', 2, 'page'); paq('trackPageView')`,
		want: []string{`_cvar={"1":["plan","pro"]} action_name=Shop cvar={"2":["kind","tea"]} dimension1=gold dimension2=here`, "action_name=Shop"}},
	{name: "events", run: `paq('trackEvent', 'Video', 'play', 'Intro', 1.5); paq('trackEvent', 'a', 'b'); paq('trackEvent', 'a', 'zero', '', 0, {dimension3: 'x'}); paq('trackEvent', 'only category')`,
		want: []string{"e_a=play e_c=Video e_n=Intro e_v=1.5", "e_a=b e_c=a", "dimension3=x e_a=zero e_c=a e_v=0"}},
	{name: "half a character", run: `paq('trackEvent', 'caf\u00e9 \ud83d\ude00', 'cut \ud83d')`, want: []string{"e_a=cut \ufffd e_c=caf\u00e9 \U0001f600"}},
	{name: "what cannot be text", run: `paq('trackEvent', 'a', { toString () { throw new Error('no') } }); paq('trackGoal', 1)`, want: []string{"idgoal=1"}},
	{name: "nothing to send to", run: `paq('setSiteId', ''); paq('trackPageView'); paq('setSiteId', 2); paq('trackGoal', 1)`, also: []string{"idsite", "idgoal"}, want: []string{"idgoal=1 idsite=2"}},
	{name: "site search", run: `paq('trackSiteSearch', 'tea & cups', 'goods', 0); paq('trackSiteSearch', 'pot', false, false)`,
		want: []string{"search=tea & cups search_cat=goods search_count=0", "search=pot"}},
	{name: "goals", run: `paq('trackGoal', 3); paq('trackGoal', '4', 12.5)`, want: []string{"idgoal=3", "idgoal=4 revenue=12.5"}},
	{name: "a shop", run: `paq('setEcommerceView', 'S1', 'Pot', ['Tea', 'Pots'], 9.9); paq('trackPageView'); paq('trackEvent', 'a', 'b');
		paq('addEcommerceItem', 'S1', 'Pot', ['Tea', 'Pots'], '9.90', 2); paq('addEcommerceItem', 'S2'); paq('addEcommerceItem', 'S3', 'Cup', 'Cups', 1); paq('removeEcommerceItem', 'S3'); paq('trackEcommerceCartUpdate', 19.8);
		paq('trackEcommerceOrder', 'o-1', 25, 19.8, 1, 4.2, false); const cart = tracker().getEcommerceItems();
		paq('addEcommerceItem', 'S4'); paq('clearEcommerceCart'); paq('trackEcommerceCartUpdate', 0); return cart`, done: `{}`,
		want: []string{`_pkc=["Tea","Pots"] _pkn=Pot _pkp=9.9 _pks=S1 action_name=Shop`, "e_a=b e_c=a",
			`ec_items=[["S1","Pot",["Tea","Pots"],"9.90",2],["S2","","",0,1]] idgoal=0 revenue=19.8`,
			`ec_id=o-1 ec_items=[["S1","Pot",["Tea","Pots"],"9.90",2],["S2","","",0,1]] ec_sh=4.2 ec_st=19.8 ec_tx=1 idgoal=0 revenue=25`, `ec_items=[] idgoal=0 revenue=0`}},
	{name: "content by call", run: `paq('trackContentImpression', 'ad', 'ad.png', 'https://shop.example'); paq('trackContentInteraction', 'tap', 'ad', 'ad.png')`,
		want: []string{"c_n=ad c_p=ad.png c_t=https://shop.example", "c_i=tap c_n=ad c_p=ad.png"}},
	{name: "content of the page", body: content, run: `paq('trackAllContentImpressions'); paq('trackAllContentImpressions'); await sleep(50); click('ad'); click('beside'); await sleep(20); document.querySelector('#second a').click()`,
		want: []string{"c_n=ad c_p=ad.png c_t={{ORIGIN}}/landing", "c_n=two c_p=two c_t={{PAGE}}#there", "c_i=click c_n=ad c_p=ad.png c_t={{ORIGIN}}/landing", "c_i=click c_n=two c_p=two c_t={{PAGE}}#there"}, how: "bulk"},
	{name: "content that is seen", body: content + `<div style="height:5000px"></div><div data-track-content data-content-name="low" data-content-piece="low.png">low</div>`,
		run: `paq('trackVisibleContentImpressions'); await sleep(600); window.scrollTo(0, 9999); await sleep(800)`, also: []string{"c_n"}, want: []string{"c_n=ad", "c_n=two", "c_n=low"}},
	{name: "links", body: `<a id="out" href="https://elsewhere.example/there?a=b#c"><b>There</b></a><a id="in" href="/inside">in</a><a id="file" href="/price.PDF?v=1">f</a><a id="attr" href="/x" download>d</a>
		<a id="forced" class="matomo_link" href="/go">x</a><a id="ignored" class="piwik_ignore" href="https://elsewhere.example/">x</a><a id="mine" href="https://www.ours.example/p">x</a><a id="mail" href="mailto:a@b.c">x</a><a id="ours" class="our_download" href="/y">x</a>`,
		run: `paq('setDomains', ['*.ours.example']); paq('setDownloadClasses', 'our_download'); paq('enableLinkTracking'); paq('enableLinkTracking', true);
		for (const id of ['out', 'in', 'file', 'attr', 'forced', 'ignored', 'mine', 'mail', 'ours']) { click(id); await sleep(10) }`,
		want: []string{"link=https://elsewhere.example/there?a=b#c", "download={{ORIGIN}}/price.PDF?v=1", "download={{ORIGIN}}/x", "link={{ORIGIN}}/go", "download={{ORIGIN}}/y"}},
	{name: "links by call", run: `paq('trackLink', 'https://elsewhere.example/', 'link'); paq('trackLink', '/a.zip', 'download')`, want: []string{"link=https://elsewhere.example/", "download={{ORIGIN}}/a.zip"}},
	{name: "consent first", head: `paq('requireConsent'); paq('trackPageView'); paq('trackEvent', 'a', 'b')`, run: `await sleep(100); const before = document.cookie; paq('setConsentGiven'); await sleep(50); return [before, document.cookie.includes('_pk_id.1.')]`,
		want: []string{"action_name=Shop", "e_a=b e_c=a"}, done: `["",true]`},
	{name: "consent that does not come", head: `paq('requireConsent'); paq('trackPageView')`, run: `await sleep(100); return document.cookie`, done: `""`},
	{name: "consent is remembered", head: `document.cookie = 'mtm_consent=1'; paq('requireConsent'); paq('trackPageView')`, want: []string{"action_name=Shop"}},
	{name: "consent is taken back", run: `paq('requireConsent'); paq('rememberConsentGiven', 1); paq('trackPageView'); await sleep(50); const had = /mtm_consent=/.test(document.cookie); paq('forgetConsentGiven'); paq('trackPageView', 'never'); await sleep(50);
		return [had, /mtm_consent=/.test(document.cookie), /_pk_/.test(document.cookie), tracker().isUserOptedOut()]`, want: []string{"action_name=Shop"}, done: `[true,false,false,true]`},
	{name: "opting out", run: `paq('optUserOut'); paq('trackPageView'); const out = tracker().isUserOptedOut(); await sleep(50); paq('forgetUserOptOut'); paq('trackPageView', 'again'); return [out, tracker().isUserOptedOut()]`,
		want: []string{"action_name=again"}, done: `[true,false]`},
	{name: "opted out before", head: `document.cookie = 'mtm_consent_removed=1'; paq('trackPageView')`},
	{name: "cookie consent", head: `paq('requireCookieConsent'); paq('trackPageView')`, run: `await sleep(100); const before = document.cookie; paq('rememberCookieConsentGiven'); paq('trackPageView', 'with'); await sleep(50); return [before, /_pk_id/.test(document.cookie)]`,
		also: []string{"action_name", "cookie"}, want: []string{"action_name=Shop cookie=0", "action_name=with cookie=1"}, done: `["",true]`},
	{name: "no cookies", head: `paq('disableCookies'); paq('trackPageView')`, run: `await sleep(100); return document.cookie`, also: []string{"_id", "cookie"}, want: []string{"cookie=0"}, done: `""`},
	{name: "a visitor of another tracker", head: `window.since = Math.floor(Date.now() / 1000) - 86400; document.cookie = '_pk_id.1.1fff=0123456789abcdef.' + since + '.'; paq('trackPageView')`,
		run: `await sleep(50); return document.cookie.match(/_pk_id[^;]*/g).join() === '_pk_id.1.1fff=0123456789abcdef.' + since + '.'`, also: []string{"_id"}, want: []string{"_id=0123456789abcdef"}, done: `true`},
	{name: "a visitor that is set", run: `paq('setVisitorId', 'ABCDEF0123456789'); paq('setVisitorId', 'not one'); paq('trackPageView'); return tracker().getVisitorId()`, also: []string{"_id"}, want: []string{"_id=abcdef0123456789"}, done: `"abcdef0123456789"`},
	{name: "request method", head: `paq('setRequestMethod', 'POST'); paq('trackPageView')`, want: []string{"action_name=Shop"}, how: "body"},
	{name: "without beacons", head: `paq('disableAlwaysUseSendBeacon'); paq('trackPageView')`, also: []string{"action_name", "send_image"}, want: []string{"action_name=Shop send_image=1"}, how: "GET"},
	{name: "without beacons, POST", head: `paq('disableAlwaysUseSendBeacon'); paq('setRequestMethod', 'POST'); paq('trackPageView')`, want: []string{"action_name=Shop"}, how: "body"},
	{name: "a browser that has no beacons", head: `navigator.sendBeacon = undefined; paq('trackPageView')`, want: []string{"action_name=Shop"}, how: "POST"},
	{name: "a beacon that is refused", head: `navigator.sendBeacon = () => false; paq('trackPageView'); paq('trackGoal', 1)`, want: []string{"action_name=Shop", "idgoal=1"}, how: "bulk"},
	{name: "a long hit", run: `paq('trackPageView', 'x'.repeat(3000))`, also: []string{"rec"}, want: []string{"rec=1"}, how: "body"},
	{name: "sixty hits at once", run: `for (let i = 0; i < 60; i++) paq('trackEvent', 'n', String(i))`, also: []string{"e_a"}, want: numbers("e_a=", 60), how: "bulk"},
	{name: "two trackers", head: `paq('addTracker', '{{TRACKER}}?second=1', 7); paq('trackPageView')`, also: []string{"idsite", "second"}, want: []string{"idsite=1", "idsite=7 second=1"}},
	{name: "functions in the queue", head: `paq(function () { window.asked = this.getVisitorId() }); window._paq.push(function () { this.trackGoal(9) })`, run: `return asked.length`, want: []string{"idgoal=9"}, done: `16`},
	{name: "a call that is not there, one that throws", run: `paq('trackTeapot'); paq(() => { throw new Error('no') }); paq('trackGoal', 1)`, want: []string{"idgoal=1"}},
	{name: "the globals", run: `const t = Matomo.getTracker('{{TRACKER}}', 5); t.trackPageView('mine'); return [Piwik === Matomo, Matomo.getAsyncTracker().getSiteId(), Matomo.getAsyncTracker('{{TRACKER}}', 1) === tracker()]`,
		also: []string{"idsite", "action_name"}, want: []string{"action_name=mine idsite=5"}, done: `[true,"1",true]`},
	{name: "told when it is there", head: `window.matomoAsyncInit = () => { window.inited = !!Matomo.getTracker }`, run: `return inited`, done: `true`},
	{name: "campaign with a conversion", head: `history.replaceState(null, '', '?utm_campaign=Spring+sale&utm_term=tea'); paq('trackPageView'); paq('trackGoal', 1)`, also: []string{"_rcn", "_rck", "idgoal"},
		want: []string{"_rck=tea _rcn=Spring sale", "_rck=tea _rcn=Spring sale idgoal=1"}},
	{name: "referrer with a conversion", head: `paq('setReferrerUrl', 'https://news.example/story'); paq('trackPageView'); paq('trackGoal', 1)`, also: []string{"_ref", "idgoal"}, want: []string{"", "_ref=https://news.example/story idgoal=1"}},
	{name: "appended", head: `paq('appendToTrackingUrl', 'new_visit=1'); paq('trackPageView')`, want: []string{"action_name=Shop new_visit=1"}},
	{name: "a processor", run: `paq('setCustomRequestProcessing', (q) => q.includes('secret') ? '' : q + '&more=1'); paq('trackGoal', 1); paq('trackEvent', 'secret', 'x')`, want: []string{"idgoal=1 more=1"}},
	{name: "a callback", run: `return await new Promise((resolve) => paq('trackPageView', 'x', null, (r) => resolve([r.success, r.trackerUrl, /action_name=x/.test(r.request)])))`, want: []string{"action_name=x"}, done: `[true,"{{TRACKER}}",true]`},
	{name: "performance", run: `await sleep(50); paq('setPagePerformanceTiming', 1, 2, 3, 4.6, 5, 6); paq('trackPageView'); paq('trackPageView')`, also: []string{"pf_net", "pf_srv", "pf_tfr", "pf_dm1", "pf_dm2", "pf_onl"},
		want: []string{"pf_dm1=5 pf_dm2=5 pf_net=1 pf_onl=6 pf_srv=2 pf_tfr=3", ""}},
	{name: "heart beat", run: `Date.now = (real => () => real() + (window.ahead || 0))(Date.now); paq('enableHeartBeatTimer', 5); paq('trackPageView'); await sleep(50);
		window.dispatchEvent(new Event('blur')); await sleep(20); window.dispatchEvent(new Event('focus')); window.ahead = 6000; window.dispatchEvent(new Event('blur')); await sleep(20); window.ahead = 12000`,
		want: []string{"action_name=Shop", "ping=1"}},
	{name: "client hints", head: `paq('setCustomRequestProcessing', (q) => { window.sent = q; return q }); paq('trackPageView')`, run: `await sleep(200); return JSON.parse(new URLSearchParams(sent).get('uadata')).platform`,
		want: []string{"action_name=Shop"}, done: `"Linux"`},
	{name: "no browser features", head: `paq('disableBrowserFeatureDetection'); paq('trackPageView')`, also: []string{"uadata", "res", "pdf", "cookie"}, want: []string{""}},
	{name: "errors", run: `paq('enableJSErrorTracking'); setTimeout(() => { throw new Error('broken') }); await sleep(50)`, also: []string{"e_c", "e_n"}, want: []string{"e_c=JavaScript Errors e_n=Uncaught Error: broken"}},
	{name: "loaded twice", head: `paq('trackPageView')`, run: `await load(); paq('trackGoal', 1)`, want: []string{"action_name=Shop", "idgoal=1"}},
	{name: "left at once", run: `paq('trackPageView', 'last')`, want: []string{"action_name=last"}},
}

// numbers returns n texts that end with 0, 1, ….
func numbers(before string, n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprint(before, i))
	}
	return texts
}

const snippetPage = `<!doctype html><meta charset="utf-8"><title>Shop</title>%s
<script>
var _paq = window._paq = window._paq || []
const paq = (...call) => window._paq.push(call)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const click = (id) => document.getElementById(id).click()
const tracker = () => Matomo.getAsyncTracker()
document.addEventListener('click', (e) => e.preventDefault())
paq('setTrackerUrl', '{{TRACKER}}')
paq('setSiteId', '1')
const load = () => new Promise((resolve, reject) => {
  const script = document.createElement('script')
  Object.assign(script, { async: true, src: '{{SCRIPT}}', onload: resolve, onerror: reject })
  document.head.append(script)
})
%s
load().then(async () => { %s }).then((v) => { window.done = v === undefined ? null : v }, (e) => { window.done = 'failed: ' + e })
</script>`

func TestSDKMatomoSnippet(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "matomo", "")
	recorder := &snippetRecorder{hits: map[string][]snippetHit{}}
	php := httptest.NewServer(recorder)
	t.Cleanup(php.Close)
	var origin string
	fill := func(page, text string) string {
		return strings.NewReplacer("{{PAGE}}", origin+"/"+page, "{{ORIGIN}}", origin, "{{TRACKER}}", php.URL+"/"+page+"/matomo.php", "{{SCRIPT}}", s.url()+"/matomo.js").Replace(text)
	}
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i, c := range snippetCases {
			if page := fmt.Sprint("page", i); r.URL.Path == "/"+page {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				fmt.Fprint(w, fill(page, fmt.Sprintf(snippetPage, c.body, c.head, c.run)))
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(pages.Close)
	origin = strings.Replace(pages.URL, "127.0.0.1", "localhost", 1)
	var urls []string
	for i := range snippetCases {
		urls = append(urls, origin+"/"+fmt.Sprint("page", i))
	}
	visits := s.browse(urls...)
	for i, c := range snippetCases {
		t.Run(c.name, func(t *testing.T) {
			page := fmt.Sprint("page", i)
			hits := recorder.of(page, len(c.want))
			var got, want []string
			for _, h := range hits {
				got = append(got, h.text(c.also))
			}
			for _, text := range c.want {
				want = append(want, fill(page, text))
			}
			// Requests may overtake each other; within a bulk there is an order.
			alone := func(h snippetHit) bool { return h.how != "bulk" }
			if len(hits) > 50 || slices.ContainsFunc(hits, alone) {
				slices.Sort(got)
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("sent\n\t%s\nwant\n\t%s\n%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"), html.UnescapeString(strings.Join(visits[i].Log, "\n")))
			}
			first := func(h snippetHit) bool { return h.text(c.also) == fill(page, c.want[0]) }
			if i := slices.IndexFunc(hits, first); c.how != "" && (i < 0 || hits[i].how != c.how) {
				t.Errorf("the first hit was not sent as %s: %+v", c.how, hits)
			}
			done := string(visits[i].Done)
			if c.done != "" && done != fill(page, c.done) || strings.HasPrefix(done, `"failed`) {
				t.Errorf("the page says %s, want %s\n%s", done, fill(page, c.done), strings.Join(visits[i].Log, "\n"))
			}
		})
	}
}
