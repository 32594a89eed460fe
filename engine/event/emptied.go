package event

// Emptied returns s without its elements and with its memory, nil when it has room for
// more than most elements. It clears what s held, so that nothing keeps it alive.
func Emptied[T any](s []T, most int) []T {
	if cap(s) > most {
		return nil
	}
	clear(s)
	return s[:0]
}
