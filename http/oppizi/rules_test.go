package oppizi

import (
	"reflect"
	"testing"

	"cairn/engine/event"
)

// The protocol knows no sessions, and nothing of a profile but its ids.
func TestRules(t *testing.T) {
	if r := *event.RuleAt(event.Oppizi, 1); !reflect.DeepEqual(r, event.Rule{}) {
		t.Errorf("its rule is %+v", r)
	}
}
