package referrer

import "testing"

func TestWithoutUser(t *testing.T) {
	for u, want := range map[string]string{
		"https://user:password@shop.example/a?b=c@d#e@f": "https://shop.example/a?b=c@d#e@f",
		"https://user@shop.example":                      "https://shop.example",
		"HTTPS://user:p@ss@shop.example:8443/":           "HTTPS://shop.example:8443/",
		"//user:password@shop.example/":                  "//shop.example/",
		"  https://user:password@shop.example/":          "  https://shop.example/",
		"https://@shop.example/":                         "https://shop.example/",
		"https://user:password@/a":                       "https:///a",
		`https://user:password@shop.example\\@a`:         `https://shop.example\\@a`,
		"git+ssh://git:pw@code.example/r.git":            "git+ssh://code.example/r.git",
		"https://shop.example/@somebody":                 "https://shop.example/@somebody",
		"https://shop.example?mail=a@b.example":          "https://shop.example?mail=a@b.example",
		"mailto:somebody@shop.example":                   "mailto:somebody@shop.example",
		"see https://user:password@shop.example":         "see https://user:password@shop.example",
		"a@b.example":                                    "a@b.example",
		"/a//b@c":                                        "/a//b@c",
		"":                                               "",
	} {
		if got := WithoutUser(u); got != want {
			t.Errorf("%q gives %q, want %q", u, got, want)
		}
	}
}
