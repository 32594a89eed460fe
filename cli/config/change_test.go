package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/sites.md says of each key of the configuration whether a reload takes it over or it needs a
// restart.
func TestReloadIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/sites.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| in force at once | needs a restart |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	words := regexp.MustCompile("`\\[?([a-z_]+)\\]?`")
	var atOnce, restart []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		for i, to := range []*[]string{&atOnce, &restart} {
			for _, m := range words.FindAllStringSubmatch(cells[i+1], -1) {
				*to = append(*to, m[1])
			}
		}
	}
	var free []string
	eachKey(reflect.ValueOf(Default()), reflect.Value{}, func(key string, _, _ reflect.Value) {
		if key != "site" && !slices.Contains(fixed, key) && !strings.HasSuffix(key, "_file") { // the file of another key
			free = append(free, key)
		}
	})
	same := func(what string, documented, real []string) {
		slices.Sort(documented)
		if real = slices.Sorted(slices.Values(real)); !slices.Equal(documented, real) {
			t.Errorf("%s: docs/sites.md has %v, a reload has %v", what, documented, real)
		}
	}
	same("at once", atOnce, free)
	same("restart", restart, fixed)
}
