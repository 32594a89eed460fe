package event

// Emptied returns s without its elements but with its memory, so that it can be used
// again. It returns nil when the capacity of s is more than most elements. It clears
// the elements, so s keeps nothing alive.
func Emptied[T any](s []T, most int) []T {
	if cap(s) > most {
		return nil
	}
	clear(s)
	return s[:0]
}
