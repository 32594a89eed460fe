package event

import "testing"

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "",
		"plain":              "plain",
		"a+b%20c%2Bd":        "a b c+d",
		"caf%C3%A9%e2%82%ac": "café€",
		"100%":               "100%",
		"%zz%4%":             "%zz%4%",
		"%41":                "A",
		"%ff":                "\xff",
	} {
		if got := Unescape(text); got != want {
			t.Errorf("Unescape(%q) = %q, want %q", text, got, want)
		}
	}
}
