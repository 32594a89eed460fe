package matomo

import (
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file answers the calls of the vendor's Reporting API that programs make before they
// track: which sites there are, what their main url is, which version this is. The log
// importer needs them. The native API has the reports themselves.
//
//	SitesManager.getSiteFromId        idSite → the site
//	SitesManager.getSitesIdFromSiteUrl   url → the ids of the sites with that host
//	SitesManager.getAllSites                 → every site of the token, by its id
//	API.getMatomoVersion, API.getPiwikVersion
//
// Answers are JSON with status 200, and so are errors: {"result":"error","message":…}. The
// importer would take any other status for a fault of the network and try again.

// apiVersion is the version of the vendor's API that is spoken.
const apiVersion = "5.0.0"

// reportBytesMax bounds the form of a call.
const reportBytesMax = 64 << 10

// reportRoutes are at the root, which other dialects share, and in the folders where the
// vendor's server is usually installed.
func reportRoutes() (routes []dialect.Route) {
	const call = "module=API"
	add := func(method, path, query, form string) {
		routes = append(routes, dialect.Route{
			Methods: []string{method}, Path: path, Query: query, Form: form,
			Auth: dialect.AuthNone, Reads: true, Body: reportBytesMax, CORS: dialect.CORSEcho,
		})
	}
	for _, path := range []string{"/", "/index.php"} {
		add("GET", path, call, "")
		add("POST", path, call, "")
		add("POST", path, "", call)
	}
	for _, folder := range []string{"/matomo", "/piwik", "/analytics"} {
		for _, path := range []string{folder + "/", folder + "/index.php"} {
			add("GET", path, call, "")
			add("POST", path, "", "")
		}
	}
	return routes
}

// report is one call.
type report struct {
	req *dialect.Request
	Options
	token string
}

// argument is the last value of name in the form, or in the query if the form has none.
func (r *report) argument(name string) string {
	for _, source := range []string{string(r.req.Body), r.req.RawQuery} {
		value, found := "", false
		for key, text := range dialect.Form(source) {
			if key == name {
				value, found = text, true
			}
		}
		if found {
			return value
		}
	}
	return ""
}

// answer writes the answer to the call.
func (r *report) answer(res *dialect.Response) {
	res.Status, res.ContentType = 200, "application/json; charset=utf-8"
	res.Header = append(res.Header, [2]string{"Cache-Control", "no-store"})
	if r.token = r.argument("token_auth"); r.token == "" {
		r.token = dialect.Bearer(r.req.Header("Authorization"))
	}
	dst := res.Body[:0]
	switch method := r.argument("method"); method {
	case "API.getMatomoVersion", "API.getPiwikVersion":
		dst = append(dst, `{"value":"`+apiVersion+`"}`...)
	case "SitesManager.getSiteFromId":
		id := r.argument("idSite")
		if s := r.site(id); s != nil {
			dst = appendSite(dst, s)
		} else {
			dst = appendRefusal(dst, "there is no site "+cut(id)+" for this token_auth")
		}
	case "SitesManager.getSitesIdFromSiteUrl":
		dst = r.appendSitesOf(dst, r.argument("url"))
	case "SitesManager.getAllSites":
		dst = r.appendSites(dst)
	case "SitesManager.addSite":
		dst = appendRefusal(dst, "sites are added in the server's configuration, as [[site]] with their hosts")
	case "UsersManager.createAppSpecificTokenAuth", "UsersManager.getTokenAuth":
		dst = appendRefusal(dst, "there are no logins here: give the site's token_auth (--token-auth)")
	default:
		dst = appendRefusal(dst, "the method "+cut(method)+" is not answered here; numbers are read through /api/v1/")
	}
	res.Body = dst
}

// site is the site of an id, nil when the token does not open it.
func (r *report) site(id string) *dialect.Site {
	if r.token == "" || id == "" || r.req.Find == nil {
		return nil
	}
	return r.req.Find(dialect.Credential{Kind: dialect.CredentialSiteID, ID: id, Secret: r.token})
}

// each calls f with the sites that the token opens. A token that opens none is found first,
// so that it does not cost a look at each site.
func (r *report) each(f func(*dialect.Site)) {
	if r.token == "" || r.req.Find == nil || r.req.Find(dialect.Credential{Kind: dialect.CredentialSiteID, Secret: r.token}) == nil {
		return
	}
	for _, id := range r.Sites {
		if s := r.site(strconv.FormatUint(uint64(id), 10)); s != nil {
			f(s)
		}
	}
}

func (r *report) appendSitesOf(dst []byte, url string) []byte {
	host := siteHost(url)
	dst = append(dst, '[')
	r.each(func(s *dialect.Site) {
		own := r.AnySite
		for _, h := range settingsOf(s).hosts {
			own = own || siteHost(h) == host
		}
		if own && host != "" {
			dst = comma(dst)
			dst = append(dst, `{"idsite":"`...)
			dst = append(strconv.AppendUint(dst, uint64(s.ID), 10), `"}`...)
		}
	})
	return append(dst, ']')
}

// appendSites appends an object with a site under each id: the importer looks up the sites of
// replayed hits in it.
func (r *report) appendSites(dst []byte) []byte {
	dst = append(dst, '{')
	r.each(func(s *dialect.Site) {
		dst = append(comma(dst), '"')
		dst = append(strconv.AppendUint(dst, uint64(s.ID), 10), `":`...)
		dst = appendSite(dst, s)
	})
	return append(dst, '}')
}

// comma appends the comma before an element, unless it is the first.
func comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last != '[' && last != '{' {
		return append(dst, ',')
	}
	return dst
}

// appendSite appends what callers see of a site. Ids are text, as in the vendor's answers.
func appendSite(dst []byte, s *dialect.Site) []byte {
	dst = append(dst, `{"idsite":"`...)
	dst = strconv.AppendUint(dst, uint64(s.ID), 10)
	dst = event.AppendString(append(dst, `","name":`...), s.Name)
	dst = event.AppendString(append(dst, `,"main_url":`...), mainURL(s))
	zone := "UTC"
	if s.Location != nil {
		zone = s.Location.String()
	}
	dst = event.AppendString(append(dst, `,"timezone":`...), zone)
	return append(dst, `,"ecommerce":"1","sitesearch":"1","type":"website"}`...)
}

// mainURL is the url before the paths of a log that is imported: the first of the site's
// hosts, or the site's name where it has none.
func mainURL(s *dialect.Site) string {
	host := s.Name
	if hosts := settingsOf(s).hosts; len(hosts) > 0 {
		host = hosts[0]
	}
	if strings.Contains(host, "://") {
		return host
	}
	return "http://" + host
}

// siteHost is the host of a url or host, without www., in lower case.
func siteHost(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	if i := strings.IndexAny(url, "/?#"); i >= 0 {
		url = url[:i]
	}
	return strings.TrimPrefix(strings.ToLower(strings.TrimSpace(url)), "www.")
}

func appendRefusal(dst []byte, message string) []byte {
	dst = event.AppendString(append(dst, `{"result":"error","message":`...), message)
	return append(dst, '}')
}

// cut is text to be shown in a message.
func cut(s string) string { return s[:min(len(s), 100)] }
