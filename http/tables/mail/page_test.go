package mail

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// What a page of a mail may have. Each element has the attributes behind it.
var pageMayHave = map[string][]string{
	"html": {"lang"}, "head": nil, "meta": {"charset", "name", "content"}, "title": nil, "body": {"style"},
	"table": {"role", "width", "cellpadding", "cellspacing", "border", "bgcolor", "style"}, "tbody": nil, "tr": nil,
	"td": {"align", "valign", "width", "height", "bgcolor", "style", "title"}, "th": {"align", "width", "style"},
	"h1": {"style"}, "h2": {"style"}, "p": {"style"}, "span": {"style"}, "strong": {"style"}, "br": nil, "wbr": nil, "a": {"href", "style"},
}

// styles are the properties of inline styles.
var styles = []string{"margin", "padding", "background-color", "max-width", "border", "border-bottom", "font-family", "font-size", "font-weight", "line-height", "color", "white-space", "word-break", "width", "table-layout"}

// shownBy checks that a page has nothing but tables and one link, and returns its text: a line for each
// run of text. Where a word may break, a text goes on.
func shownBy(t testing.TB, page, link string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	links := 0
	goesOn := false
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch n.Type {
		case html.CommentNode:
			t.Errorf("a comment: %q", n.Data)
		case html.TextNode:
			if strings.TrimSpace(n.Data) == "" && strings.Contains(n.Data, "\n") || n.Parent.Data == "title" {
				return
			}
			if !goesOn {
				b.WriteByte('\n')
			}
			goesOn = false
			b.WriteString(strings.ReplaceAll(n.Data, "\u00a0", " "))
		case html.ElementNode:
			may, known := pageMayHave[n.Data]
			if !known {
				t.Errorf("the page has <%s>", n.Data)
			}
			goesOn = n.Data == "wbr"
			for _, a := range n.Attr {
				if !slices.Contains(may, a.Key) {
					t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
				}
				switch a.Key {
				case "href":
					if links++; a.Val != link {
						t.Errorf("a link leads to %q", a.Val)
					}
				case "style":
					for rule := range strings.SplitSeq(a.Val, ";") {
						name, value, _ := strings.Cut(rule, ":")
						if !slices.Contains(styles, name) || strings.Contains(value, "url") || strings.Contains(value, "(") {
							t.Errorf("<%s> has the style %q", n.Data, rule)
						}
					}
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	if most := min(len(link), 1); links != most {
		t.Errorf("the page has %d links", links)
	}
	return b.String() + "\n"
}
