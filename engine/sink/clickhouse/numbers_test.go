package clickhouse

import (
	"encoding/json"
	"strings"
	"testing"
)

func quoted(t *testing.T, lines string) string {
	t.Helper()
	var b strings.Builder
	if err := quoteNumbers(&b, []byte(lines)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestQuoteNumbers(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`: `{"a":1}`, `{"a":18446744073709551615}`: `{"a":18446744073709551615}`, `{"a":18446744073709551616}`: `{"a":"18446744073709551616"}`,
		`{"a":-9223372036854775808,"b":-9223372036854775809}`: `{"a":-9223372036854775808,"b":"-9223372036854775809"}`,
		`{"18446744073709551616":"18446744073709551616"}`:     `{"18446744073709551616":"18446744073709551616"}`,
		`{"\"":18446744073709551616}`:                         `{"\"":"18446744073709551616"}`,
		`{"a\\":"\\","b":[18446744073709551616,1e400,1e5]}`:   `{"a\\":"\\","b":["18446744073709551616","1e400",1e5]}`,
		`{"a":99999999999999999999.5}`:                        `{"a":99999999999999999999.5}`,
	} {
		if got := quoted(t, in); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", in, got, want)
		}
		if !json.Valid([]byte(want)) {
			t.Errorf("%s is no JSON", want)
		}
	}
}

func FuzzQuoteNumbers(f *testing.F) {
	f.Add(`{"a":18446744073709551616,"b":"\\"}`)
	f.Fuzz(func(t *testing.T, text string) {
		got := quoted(t, text)
		if json.Valid([]byte(text)) && !json.Valid([]byte(got)) {
			t.Errorf("%s\nbecame %s", text, got)
		}
		if quoted(t, got) != got && json.Valid([]byte(text)) {
			t.Errorf("%s\nbecame %s, and changes again", text, got)
		}
	})
}
