package oppizi

import (
	"reflect"
	"testing"

	"cairn/engine/event"
)

// The protocol has no sessions, and its profiles have only ids. So the rule is empty.
func TestRules(t *testing.T) {
	if r := *event.NewestRule(event.Oppizi); !reflect.DeepEqual(r, event.Rule{}) {
		t.Errorf("the rule is %+v, want an empty one", r)
	}
}
