package event

// In tests, memory that serves one request after another is overwritten between
// requests. A text that still points into it then shows at once, and not only when
// another request happens to write there.

// Poisoned says whether the memory of a request is overwritten after its answer is
// written. Only tests set it, before anything else runs.
var Poisoned bool

// poisonByte never occurs in valid UTF-8, so no event and no answer holds it.
const poisonByte = 0xDB

// Poison overwrites the whole capacity of b when Poisoned is set. b must not be read
// afterwards.
func Poison(b []byte) {
	if !Poisoned {
		return
	}
	b = b[:cap(b)]
	for i := range b {
		b[i] = poisonByte
	}
}
