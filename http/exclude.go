package httpd

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
	"cairn/http/wire"
)

// This file decides what is answered as usual and not stored: bots where a dialect leaves
// them out, browsers that opt out, and what a site excludes by address or agent.

// Why a record was excluded: Outcome.Reason, and the label in the metrics.
const (
	excludedBot    = "bot"
	excludedPerson = "no bot"
	excludedGPC    = "gpc"
	excludedDNT    = "dnt"
	excludedIP     = "ip"
	excludedAgent  = "agent"

	excludedRetention = "retention" // it is older than the site keeps events
)

// Exclusions are the addresses and agents of which a site stores nothing.
type Exclusions struct {
	nets     []netip.Prefix
	parts    []string // of an agent, in lower case
	patterns []*regexp.Regexp
}

// NewExclusions reads addresses (192.0.2.1), networks (192.0.2.0/24) and
// addresses whose last bytes are stars (192.0.*.*); and agents: a part of the
// User-Agent in any letter case, or a pattern between slashes (/bot|spider/, or
// /…/i for any letter case) in RE2's syntax.
func NewExclusions(ips, agents []string) (Exclusions, error) {
	var ex Exclusions
	for _, text := range ips {
		net, err := parseNet(strings.TrimSpace(text))
		if err != nil {
			return ex, fmt.Errorf("exclude_ips: %q is neither an address nor a network such as 10.0.0.0/8 or 10.0.*.*", text)
		}
		ex.nets = append(ex.nets, net)
	}
	size := 0 // of all patterns
	for _, text := range agents {
		if size += patternSize(text); size > patternsMax {
			return ex, fmt.Errorf("exclude_agents: %.40q: the patterns together are too large; use fewer or shorter ones, and smaller numbers of repetitions", text)
		}
		expression, isPattern, err := agentPattern(text)
		switch {
		case err != nil:
			return ex, fmt.Errorf("exclude_agents: %q: %w", text, err)
		case isPattern:
			ex.patterns = append(ex.patterns, expression)
		case text != "":
			ex.parts = append(ex.parts, strings.ToLower(text))
		}
	}
	return ex, nil
}

// parseNet reads an address, a network, or an IPv4 address that ends in stars.
func parseNet(s string) (netip.Prefix, error) {
	bits := -1
	for n := 1; n <= 3; n++ {
		if rest, ok := strings.CutSuffix(s, strings.Repeat(".*", n)); ok && !strings.Contains(rest, "*") {
			s, bits = rest+strings.Repeat(".0", n), 32-8*n
			break
		}
	}
	if a, err := netip.ParseAddr(s); err == nil {
		if a = wire.PlainAddr(a); bits < 0 {
			bits = a.BitLen()
		} else if !a.Is4() {
			return netip.Prefix{}, errors.New("stars are for IPv4")
		}
		return netip.PrefixFrom(a, bits), nil
	}
	p, err := netip.ParsePrefix(s)
	if err == nil && p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), err
}

// patternText is the regular expression of /x/ and /x/i.
func patternText(text string) (expression string, ok bool) {
	body, ok := strings.CutPrefix(text, "/")
	if !ok {
		return "", false
	}
	end := strings.LastIndexByte(body, '/')
	if end < 1 {
		return "", false
	}
	switch body[end+1:] {
	case "":
		return body[:end], true
	case "i":
		return "(?i:" + body[:end] + ")", true
	}
	return "", false
}

// agentPattern compiles /x/ and /x/i.
func agentPattern(text string) (expression *regexp.Regexp, ok bool, err error) {
	if text, ok = patternText(text); ok {
		expression, err = regexp.Compile(text)
	}
	return expression, ok, err
}

// patternsMax bounds the patterns of a site, in instructions of their programs: each agent is matched
// with all of them, and 20,000 instructions take some 3 MB.
const patternsMax = 20_000

// patternSize is the size of a pattern, 0 if it is none.
func patternSize(text string) int {
	expression, ok := patternText(text)
	if !ok {
		return 0
	}
	if len(expression) > patternsMax {
		return len(expression)
	}
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return 0 // agentPattern says what is wrong
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// agentBytesMax bounds how much of a User-Agent patterns look at.
const agentBytesMax = 1024

// reason is why a source is excluded, "" when it is not.
func (ex *Exclusions) reason(src *event.Source) string {
	if ip := src.IP.Unmap().WithZone(""); ip.IsValid() {
		for _, net := range ex.nets {
			if net.Contains(ip) {
				return excludedIP
			}
		}
	}
	agent := src.UserAgent[:min(len(src.UserAgent), agentBytesMax)]
	if agent == "" || len(ex.parts) == 0 && len(ex.patterns) == 0 {
		return ""
	}
	lower := strings.ToLower(agent)
	for _, part := range ex.parts {
		if strings.Contains(lower, part) {
			return excludedAgent
		}
	}
	for _, pattern := range ex.patterns {
		if pattern.MatchString(agent) {
			return excludedAgent
		}
	}
	return ""
}

// excluded is why a record is answered and not stored, "" when it is stored. An opt-out in
// the headers counts only where a browser may have sent them: a server that holds a secret
// speaks for others. Requests with their key in the header come from servers alone: of them
// only what the dialect excludes is, and imported events by the source that they name.
func (x *exchange) excluded(r *dialect.Record, site *tenant, private bool) string {
	if r.Exclude != "" {
		return r.Exclude
	}
	// The native API says so in the answer instead.
	if r.Import == nil && r.Event.Dialect != event.Native && r.Event.Time != 0 && r.Event.Time < site.KeepsFrom(x.req.ReceivedUnixMilli) {
		return excludedRetention
	}
	if x.route.Auth == dialect.AuthBearer && (r.Import == nil || !r.Import.Source) {
		return ""
	}
	if r.Bots == dialect.BotsExcluded || r.Bots == dialect.BotsWithSecret && !private {
		if x.s.engine.Bot(&r.Source) != "" {
			return excludedBot
		}
	} else if r.Bots == dialect.BotsOnly && x.s.engine.Bot(&r.Source) == "" {
		return excludedPerson
	}
	if !private {
		if site.GPC && x.header("Sec-Gpc") == "1" {
			return excludedGPC
		}
		// Some blockers sent the second header before DNT had its name.
		if site.DNT && (strings.HasPrefix(x.header("Dnt"), "1") || x.header("X-Do-Not-Track") == "1") {
			return excludedDNT
		}
	}
	return site.Exclude.reason(&r.Source)
}
