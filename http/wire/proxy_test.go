package wire

import (
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	type headers map[string][]string
	const xff, real, fwd = "X-Forwarded-For", "X-Real-Ip", "Forwarded"
	for _, test := range []struct {
		name, peer string
		headers    headers
		want       string
	}{
		{"no header", "10.0.0.1", nil, "10.0.0.1"},
		{"peer is not trusted", "8.8.8.8", headers{xff: {"1.2.3.4"}}, "8.8.8.8"},
		{"one hop", "10.0.0.1", headers{xff: {"1.2.3.4"}}, "1.2.3.4"},
		{"right-most untrusted", "10.0.0.1", headers{xff: {"6.6.6.6, 1.2.3.4, 10.0.0.7"}}, "1.2.3.4"},
		{"two lines", "10.0.0.1", headers{xff: {"6.6.6.6, 1.2.3.4", "10.0.0.7"}}, "1.2.3.4"},
		{"forged on the left", "10.0.0.1", headers{xff: {"10.0.0.2, 1.2.3.4"}}, "1.2.3.4"},
		{"proxies all the way", "10.0.0.1", headers{xff: {"10.0.0.3, 10.0.0.2"}}, "10.0.0.3"},
		{"garbage on the right", "10.0.0.1", headers{xff: {"1.2.3.4, unknown"}}, "10.0.0.1"},
		{"garbage further left", "10.0.0.1", headers{xff: {"<script>, 1.2.3.4"}}, "1.2.3.4"},
		{"empty element", "10.0.0.1", headers{xff: {"1.2.3.4, "}}, "10.0.0.1"},
		{"port", "10.0.0.1", headers{xff: {"1.2.3.4:5678"}}, "1.2.3.4"},
		{"v6", "10.0.0.1", headers{xff: {"2001:db8::1"}}, "2001:db8::1"},
		{"v6 in brackets", "10.0.0.1", headers{xff: {"[2001:db8::1]"}}, "2001:db8::1"},
		{"v6 with port", "10.0.0.1", headers{xff: {"[2001:db8::1]:443"}}, "2001:db8::1"},
		{"v6 with zone", "10.0.0.1", headers{xff: {"fe80::1%eth0"}}, "fe80::1"},
		{"mapped", "10.0.0.1", headers{xff: {"::ffff:1.2.3.4"}}, "1.2.3.4"},
		{"mapped proxy", "10.0.0.1", headers{xff: {"1.2.3.4, ::ffff:10.0.0.9"}}, "1.2.3.4"},
		{"v4 in brackets", "10.0.0.1", headers{xff: {"[1.2.3.4]"}}, "10.0.0.1"},
		{"leading zeros", "10.0.0.1", headers{xff: {"01.2.3.4"}}, "10.0.0.1"},
		{"real ip", "10.0.0.1", headers{real: {"1.2.3.4"}}, "1.2.3.4"},
		{"real ip garbage", "10.0.0.1", headers{real: {"a"}}, "10.0.0.1"},
		{"forwarded-for wins", "10.0.0.1", headers{xff: {"1.2.3.4"}, real: {"5.6.7.8"}}, "1.2.3.4"},
		{"forwarded", "10.0.0.1", headers{fwd: {`for=1.2.3.4;proto=https, for=10.0.0.2`}}, "1.2.3.4"},
		{"forwarded v6", "10.0.0.1", headers{fwd: {`proto=https; For="[2001:db8::1]:4711"`}}, "2001:db8::1"},
		{"forwarded unknown", "10.0.0.1", headers{fwd: {"for=unknown"}}, "10.0.0.1"},
		{"forwarded obfuscated", "10.0.0.1", headers{fwd: {"for=_hidden"}}, "10.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := trusted.Client(netip.MustParseAddr(test.peer), func(name string) []string { return test.headers[name] })
			if got.String() != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := Proxies(nil).Client(netip.MustParseAddr("10.0.0.1"), func(string) []string { t.Error("headers were read"); return nil }); got.String() != "10.0.0.1" {
		t.Errorf("without trusted proxies: %s", got)
	}
}

func FuzzClientAddress(f *testing.F) {
	f.Add("1.2.3.4, 10.0.0.1", `for="[::1]:80"`)
	trusted := Proxies{netip.MustParsePrefix("0.0.0.0/0")}
	f.Fuzz(func(t *testing.T, xff, fwd string) {
		for name, value := range map[string]string{"X-Forwarded-For": xff, "Forwarded": fwd} {
			got := trusted.Client(netip.MustParseAddr("10.0.0.1"), func(n string) []string {
				if n == name {
					return []string{value}
				}
				return nil
			})
			if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
				t.Fatalf("%q: %v", value, got)
			}
		}
	})
}
