package auth

import (
	"strings"
	"testing"
)

func TestAllowsOrigin(t *testing.T) {
	for _, c := range []struct {
		allowed, origin string
		want            bool
	}{
		{"https://shop.example", "https://shop.example", true},
		{"https://shop.example/", "https://shop.example", true},
		{"shop.example", "https://shop.example", true},
		{"https://shop.example", "http://shop.example", true},
		{"https://www.shop.example", "https://shop.example", true},
		{"https://shop.example", "https://www.shop.example", true},
		{"https://Shop.example", "https://shop.EXAMPLE", true},
		{"https://shop.example", "https://shop.example:8443", false},
		{"https://shop.example:8443", "https://shop.example:8443", true},
		{"https://shop.example", "https://shop.example.attacker.net", false},
		{"https://shop.example", "https://ashop.example", false},
		{"https://shop.example", "https://www.www.shop.example", false},
		{"https://*.shop.example", "https://a.shop.example", true},
		{"https://*.shop.example", "https://a.b.shop.example", true},
		{"https://*.shop.example", "https://shop.example", false},
		{"https://*.shop.example", "https://.shop.example", false},
		{"https://*.shop.example", "https://a.shop.example.attacker.net", false},
		{"https://*.shop.example", "https://attacker.net/.shop.example", false},
		{"https://*.shop.example", "https://attacker.net:1.shop.example", false},
		{"https://*.shop.example", "https://a@b.shop.example", false},
		{"https://*.shop.example", "https://axshop.example", false},
		{"https://*.shop.example:3000", "https://a.shop.example:3000", true},
		{"https://*.shop.example", "https://a.shop.example:3000", false},
		{"preview-*.pages.example", "https://preview-7.pages.example", true},
		{"preview-*.pages.example", "https://preview-.pages.example", false},
		{"*.a.*.example", "https://x.a.y.example", true},
		{"*.*.*.*", "https://a.b.c.d", false},
		{"*", "https://anybody.example", true},
		{"*", "null", true},
		{"https://shop.example", "null", false},
		{"", "https://shop.example", false},
		{"https://", "https://", false},
		{"*", "https://" + strings.Repeat("a", 600), false},
	} {
		if got := allowsOrigin([]string{"https://other.example", c.allowed}, c.origin); got != c.want {
			t.Errorf("%q allows %q: %v", c.allowed, c.origin, got)
		}
	}
}
