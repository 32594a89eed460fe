package httpd

import (
	"net/netip"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/http/dialect"

	"github.com/valyala/fasthttp"
)

func TestExclusions(t *testing.T) {
	for _, c := range []struct {
		list, ip, agent, want string // list: an address, or an agent after a '~'
	}{
		{"192.0.2.1", "192.0.2.1", "", "ip"},
		{"192.0.2.1", "::ffff:192.0.2.1", "", "ip"}, // as a socket for both kinds has it
		{"192.0.2.1", "192.0.2.2", "", ""},
		{"192.0.2.0/24", "192.0.2.255", "", "ip"},
		{"192.0.2.77/24", "192.0.2.1", "", "ip"}, // the rest of a network's address is nothing
		{"192.0.2.0/24", "192.0.3.0", "", ""},
		{"::ffff:192.0.2.0/120", "192.0.2.9", "", "ip"},
		{"192.0.2.*", "192.0.2.200", "", "ip"},
		{"192.0.*.*", "192.0.200.1", "", "ip"},
		{"192.*.*.*", "193.0.0.1", "", ""},
		{"2001:db8::/32", "2001:db8:1::2", "", "ip"},
		{"2001:db8::1", "2001:db8::1%eth0", "", "ip"},
		{" 192.0.2.1 ", "192.0.2.1", "", "ip"},
		{"~HeadlessChrome", "", "Mozilla/5.0 (X11) headlesschrome/120", "agent"},
		{"~HeadlessChrome", "", "Mozilla/5.0 (X11) Chrome/120", ""},
		{"~HeadlessChrome", "", "", ""},
		{`~/^Office \d+$/`, "", "Office 12", "agent"},
		{`~/^Office \d+$/`, "", "office 12", ""},
		{`~/^Office \d+$/i`, "", "office 12", "agent"},
		{`~/^Office \d+$/`, "", "My Office 12", ""},
		{"~/a/b", "", "x/A/b", "agent"}, // a path, not a pattern
		{"~/", "", "Mozilla/5.0", "agent"},
		{"~", "", "Mozilla/5.0", ""},
		{`~/(a+)+$/`, "", strings.Repeat("a", 1<<20) + "b", "agent"}, // of the first 1,024 bytes
	} {
		var ips, agents []string
		if agent, ok := strings.CutPrefix(c.list, "~"); ok {
			agents = []string{"never", agent}
		} else {
			ips = []string{"198.51.100.1", c.list}
		}
		ex, err := NewExclusions(ips, agents)
		if err != nil {
			t.Errorf("%s: %v", c.list, err)
			continue
		}
		src := event.Source{UserAgent: c.agent}
		if c.ip != "" {
			src.IP = netip.MustParseAddr(c.ip)
		}
		if got := ex.reason(&src); got != c.want {
			t.Errorf("%s of %s %.40q: %q, want %q", c.list, c.ip, c.agent, got, c.want)
		}
	}
	for _, bad := range []string{"", "office", "192.0.2", "192.0.2.1/33", "*.*.*.*", "192.*.2.1", "*.0.2.1", "192.0.2.1*", "2001:db8:*", "192.0.2.*/24", "1.2.3.4.*", "::.*"} {
		if _, err := NewExclusions([]string{bad}, nil); err == nil {
			t.Errorf("address %q is taken", bad)
		}
	}
	if _, err := NewExclusions(nil, []string{"/(/"}); err == nil {
		t.Error("a pattern that does not compile is taken")
	}
}

// TestExcluded tries which exclusion holds for whom: opt-outs for browsers, bots as their
// dialect wants.
func TestExcluded(t *testing.T) {
	ex, err := NewExclusions([]string{"192.0.2.0/24"}, []string{"kiosk"})
	if err != nil {
		t.Fatal(err)
	}
	const bot = "Mozilla/5.0 (compatible; Googlebot/2.1)"
	browser := func(r *dialect.Record) { r.Source.UserAgent = "Firefox" }
	private := func(r *dialect.Record) { r.Credential.Secret = "s" }
	for _, c := range []struct {
		name   string
		change []func(*dialect.Record)
		header string
		auth   dialect.Auth
		want   string
	}{
		{"a browser", []func(*dialect.Record){browser}, "", 0, ""},
		{"GPC", []func(*dialect.Record){browser}, "Sec-GPC: 1", 0, "gpc"},
		{"GPC that is off", []func(*dialect.Record){browser}, "Sec-GPC: 0", 0, ""},
		{"DNT", []func(*dialect.Record){browser}, "DNT: 1", 0, "dnt"},
		{"DNT with more", []func(*dialect.Record){browser}, "DNT: 1abc", 0, "dnt"},
		{"DNT that is off", []func(*dialect.Record){browser}, "DNT: 0", 0, ""},
		{"the older header", []func(*dialect.Record){browser}, "X-Do-Not-Track: 1", 0, "dnt"},
		{"the older header, off", []func(*dialect.Record){browser}, "X-Do-Not-Track: 10", 0, ""},
		{"an opt-out passed on with a secret", []func(*dialect.Record){browser, private}, "DNT: 1", 0, ""},
		{"an opt-out with a key in the header", []func(*dialect.Record){browser}, "DNT: 1", dialect.AuthBearer, ""},
		{"an address", []func(*dialect.Record){func(r *dialect.Record) { r.Source.IP = netip.MustParseAddr("192.0.2.9") }}, "", 0, "ip"},
		{"an address a secret vouches for", []func(*dialect.Record){private, func(r *dialect.Record) { r.Source.IP = netip.MustParseAddr("192.0.2.9") }}, "", 0, "ip"},
		{"an agent", []func(*dialect.Record){func(r *dialect.Record) { r.Source.UserAgent = "Kiosk/2" }}, "", 0, "agent"},
		{"a bot is kept", []func(*dialect.Record){func(r *dialect.Record) { r.Source.UserAgent = bot }}, "", 0, ""},
		{"a bot without a secret", []func(*dialect.Record){func(r *dialect.Record) { r.Source.UserAgent, r.Bots = bot, dialect.BotsWithSecret }}, "", 0, "bot"},
		{"a bot with a secret", []func(*dialect.Record){private, func(r *dialect.Record) { r.Source.UserAgent, r.Bots = bot, dialect.BotsWithSecret }}, "", 0, ""},
		{"a bot that is excluded", []func(*dialect.Record){private, func(r *dialect.Record) { r.Source.UserAgent, r.Bots = bot, dialect.BotsExcluded }}, "", 0, "bot"},
		{"no bot where bots are excluded", []func(*dialect.Record){browser, func(r *dialect.Record) { r.Bots = dialect.BotsExcluded }}, "", 0, ""},
		{"the dialect's own reason comes first", []func(*dialect.Record){func(r *dialect.Record) { r.Exclude = "ping" }}, "DNT: 1", 0, "ping"},
	} {
		x := &exchange{s: &Server{engine: &fakeEngine{}}, ctx: &fasthttp.RequestCtx{}, route: &route{Route: dialect.Route{Auth: c.auth}}}
		if name, value, ok := strings.Cut(c.header, ": "); ok {
			x.ctx.Request.Header.Set(name, value)
		}
		var r dialect.Record
		for _, change := range c.change {
			change(&r)
		}
		site, private := &tenant{Site: &Site{DNT: true, GPC: true, Exclude: ex}}, r.Credential.Secret != ""
		if got := x.excluded(&r, site, private); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		site.Site = &Site{}
		if got := x.excluded(&r, site, private); got == "dnt" || got == "gpc" || got == "ip" || got == "agent" {
			t.Errorf("%s: %q of a site that excludes nobody", c.name, got)
		}
	}
}

// Any configuration and any agent give an answer.
func FuzzExclusions(f *testing.F) {
	f.Add("192.0.*.*", "/a|b/i", "B", uint32(0xc0000201))
	f.Add("::ffff:10.0.0.0/104", "kiosk", "Kiosk/1", uint32(0x0a000001))
	f.Add("1.2.3.4/0", "/(/", "\xff", uint32(0))
	f.Fuzz(func(t *testing.T, ip, pattern, agent string, from uint32) {
		ex, err := NewExclusions([]string{ip}, []string{pattern})
		if err != nil {
			return
		}
		addr := netip.AddrFrom4([4]byte{byte(from >> 24), byte(from >> 16), byte(from >> 8), byte(from)})
		mapped := netip.AddrFrom16(addr.As16())
		if got, again := ex.reason(&event.Source{IP: addr, UserAgent: agent}), ex.reason(&event.Source{IP: mapped, UserAgent: agent}); got != again {
			t.Errorf("%s of %s: %q, as an IPv6 address %q", ip, addr, got, again)
		}
	})
}

// Patterns are bounded together: each agent is matched with all of them, and a short text can mean a
// large program.
func TestExclusionsAreBounded(t *testing.T) {
	t.Parallel()
	many := make([]string, 2000)
	for i := range many {
		many[i] = "/(a|b)*c{1,900}/"
	}
	for name, agents := range map[string][]string{"many": many, "one": {"/" + strings.Repeat("x", patternsMax+1) + "/"}} {
		if _, err := NewExclusions(nil, agents); err == nil || !strings.Contains(err.Error(), "exclude_agents") || len(err.Error()) > 300 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range many {
		many[i] = "/kiosk[0-9]/i"
	}
	if _, err := NewExclusions(nil, many[:500]); err != nil {
		t.Errorf("500 usual patterns: %v", err)
	}
}
