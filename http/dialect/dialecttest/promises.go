package dialecttest

import "testing"

// This file checks what a dialect promises about its rules in the engine.

// HalfHour is the silence that the protocols put between two sessions, in milliseconds.
const HalfHour = 30 * 60 * 1000

// Promises reports each promise that does not hold. A promise is a sentence about the rules of
// a dialect in the engine.
func Promises(t *testing.T, holds map[string]bool) {
	t.Helper()
	for promise, ok := range holds {
		if !ok {
			t.Errorf("the rules break the promise: %s", promise)
		}
	}
}
