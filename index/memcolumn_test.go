package index

import "testing"

// A cell is found in a chunk of any number: with 16 GiB of memory there are more than
// 65,536 chunks.
func TestCellRefs(t *testing.T) {
	chunks := make([][]byte, 1<<17+1)
	for _, at := range []int{0, 1, 1<<16 - 1, 1 << 16, 1 << 17} {
		chunks[at] = make([]byte, chunkLen)
		for _, start := range []int{0, 1, chunkLen - 3} {
			copy(chunks[at][start:], "abc")
			if got := cellIn(chunks, refOf(at, start, 3)); string(got) != "abc" {
				t.Errorf("chunk %d, start %d: %q", at, start, got)
			}
			clear(chunks[at])
		}
	}
	if got := cellIn([][]byte{make([]byte, 1<<24)}, refOf(0, 0, 1<<24-1)); len(got) != 1<<24-1 {
		t.Errorf("the longest cell has %d bytes", len(got))
	}
}
