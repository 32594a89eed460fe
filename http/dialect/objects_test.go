package dialect

import (
	"testing"

	"cairn/engine/event"
)

// Objects share one block of memory, but none can grow into the next. Memory that Trim frees
// serves the next object.
func TestObjects(t *testing.T) {
	o := Objects{Kept: 512}
	one, two := o.Make(3), o.Make(2)
	one = append(one, event.Member{Key: "a"}, event.Member{Key: "b"}, event.Member{Key: "c"})
	two = append(two, event.Member{Key: "d"})
	if cap(one) != 3 || cap(two) != 2 || one[2].Key != "c" {
		t.Errorf("%d and %d members, %q", cap(one), cap(two), one)
	}
	two = o.Trim(two, 0)
	if three := append(o.Make(1), event.Member{Key: "e"}); cap(two) != 1 || two[0].Key != "d" || three[0].Key != "e" {
		t.Errorf("%d members, %q and %q", cap(two), two, three)
	}
	if empty := o.Trim(o.Make(4), 2); empty != nil {
		t.Errorf("an empty object keeps %d members, want nil", cap(empty))
	}
	if roomy := o.Trim(append(o.Make(9), event.Member{Key: "f"}), 2); cap(roomy) != 3 {
		t.Errorf("%d members, want one and room for two", cap(roomy))
	}
	o.Reset()
	if again := o.Make(1)[:1]; again[0].Key != "" {
		t.Errorf("the key %q of the previous request is still there", again)
	}
	o.Make(513)
	if o.Reset(); cap(o.members) != 0 {
		t.Errorf("%d members are kept, want none above the limit of 512", cap(o.members))
	}
}
