package query

import (
	"strings"
	"testing"
)

func TestFold(t *testing.T) {
	for _, same := range [][]string{{"Spring Sale", "spring sale", "SPRING SALE"}, {"ÄRGER", "ärger", "Ärger"}, {"k", "K", "\u212a"}, {"ΣΑΣ", "σας"}, {"", ""}, {"東京", "東京"}} {
		for _, s := range same {
			if Fold(s) != Fold(same[0]) || !strings.EqualFold(s, same[0]) {
				t.Errorf("%q and %q fold to %q and %q", s, same[0], Fold(s), Fold(same[0]))
			}
		}
	}
	for _, s := range []string{"ß", "ss", "ı", "i", "a1", "a2"} {
		for _, o := range []string{"ß", "ss", "ı", "i", "a1", "a2"} {
			if (Fold(s) == Fold(o)) != strings.EqualFold(s, o) {
				t.Errorf("%q and %q", s, o)
			}
		}
	}
}
