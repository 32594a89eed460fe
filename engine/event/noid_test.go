package event

import "testing"

func TestNoID(t *testing.T) {
	for id, want := range map[string]string{
		"undefined": "undefined", "UNDEFINED": "undefined", " undefined\n": "undefined", "null": "null", "None": "none", "NIL": "nil", "NaN": "nan",
		"[object Object]": "[object object]", "anonymous": "anonymous", "Guest": "guest", "true": "true", "False": "false", "0": "0",
		" ": "blank", "\t\n": "blank", "\u00a0": "blank", `""`: "quotes", "''": "quotes", "`": "quotes", ` "" `: "quotes", "“”": "quotes",
		"": "", "00": "", "0.0": "", "1": "", "guest2": "", "nullable": "", "an": "", "[object Array]": "", "noone": "", `"a"`: "", "'null": "", "ada": "", "false!": "",
	} {
		if got, is := NoID(id); got != want || is != (want != "") {
			t.Errorf("%q is %q, %v, want %q", id, got, is, want)
		}
	}
}

func TestRefuseIDs(t *testing.T) {
	for name, c := range map[string]struct{ in, want Event }{
		"a track":      {Event{Type: Track, User: "null", Anonymous: "a", Session: "0"}, Event{Type: Track, Anonymous: "a", Session: "0"}},
		"a visitor":    {Event{Type: Identify, User: "u", Anonymous: "undefined"}, Event{Type: Identify, User: "u"}},
		"an identify":  {Event{Type: Identify, User: "None", Anonymous: "a"}, Event{Type: Identify, Anonymous: "a", Extra: Object{{RefusedUser, Str("None")}}}},
		"an increment": {Event{Type: Increment, User: "0"}, Event{Type: Increment, Extra: Object{{RefusedUser, Str("0")}}}},
		"an alias to":  {Event{Type: Alias, User: "guest", Anonymous: "a", Previous: "p"}, Event{Type: Alias, Anonymous: "a", Extra: Object{{RefusedUser, Str("guest")}}}},
		"an alias of":  {Event{Type: Alias, User: "u", Previous: "guest"}, Event{Type: Alias, User: "u"}},
		"a group":      {Event{Type: Group, User: "true", Groups: []string{"null"}}, Event{Type: Group, Groups: []string{"null"}}},
	} {
		words := 0
		RefuseIDs(&c.in, func(string) { words++ })
		if got, want := string(AppendJSON(nil, &c.in)), string(AppendJSON(nil, &c.want)); got != want || words != 1 {
			t.Errorf("%s: %d words, %s\nwant %s", name, words, got, want)
		}
	}
}
