package dashboard

import (
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file tests the screens of events, of people and of now over made-up answers.

var (
	tagPattern  = regexp.MustCompile(`<(/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9:_-]*(?:="[^"<>]*")?)*)\s*/?>|<!doctype html>`)
	attrPattern = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9:_-]*)(?:="([^"<>]*)")?`)
)

// whole fails when a page has what no page may have: a script or handler of its own, a style, a
// link to where no link may lead, two elements of one id, or a < that begins no element of ours.
func whole(t *testing.T, page string) {
	t.Helper()
	if rest := tagPattern.ReplaceAllString(page, ""); strings.Contains(rest, "<") {
		at := strings.IndexByte(rest, '<')
		t.Errorf("something begins no element: %q", rest[at:min(len(rest), at+200)])
	}
	ids := map[string]bool{}
	for _, tag := range tagPattern.FindAllStringSubmatch(page, -1) {
		if slices.Contains([]string{"img", "iframe", "style", "object", "base"}, tag[2]) {
			t.Errorf("the page has a <%s>", tag[2])
		}
		for _, a := range attrPattern.FindAllStringSubmatch(tag[3], -1) {
			key, value := a[1], html.UnescapeString(a[2])
			switch {
			case key == "style", strings.HasPrefix(key, "on"):
				t.Errorf("<%s> has %s=%q", tag[2], key, value)
			case key == "href" && strings.Contains(value, "#ZgotmplZ"):
				t.Errorf("<%s> has a link that the template took away", tag[2])
			case key == "href" && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "http"):
				t.Errorf("<%s> leads to %q", tag[2], value)
			case key == "id" && ids[value]:
				t.Errorf("two elements have the id %q", value)
			case key == "id":
				ids[value] = true
			}
		}
	}
}

// quoted is a text as JSON.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The texts that whoever sends an event may send.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `data:text/html,<script>alert(1)</script>`, `' onclick='x`,
	"\u202eright to left\u202c", "zero\u200bwidth", "🦄", strings.Repeat("long ", 205), `{{.}}`, `</textarea></title>`, `a&b=c#d?e/f+g%2F`, "..", ".", " ", "line\nbreak", "\x00",
}

func mustHave(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %q", part)
		}
	}
}

func mustNotHave(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(page, part) {
			t.Errorf("the page has %q", part)
		}
	}
}
