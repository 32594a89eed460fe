package event

// Memory that serves one request after another is overwritten between two of them,
// in tests: a text that still points into it then shows at once, and not only when
// another request happens to write there.

// Poisoned says whether memory of a request is overwritten when its answer is
// written. Tests set it before anything else runs; nothing else does.
var Poisoned bool

// poisonByte is in no valid UTF-8, so that no event and no answer holds it.
const poisonByte = 0xDB

// Poison overwrites the room of b, used or not, if Poisoned. b must not be read any
// more.
func Poison(b []byte) {
	if !Poisoned {
		return
	}
	b = b[:cap(b)]
	for i := range b {
		b[i] = poisonByte
	}
}
