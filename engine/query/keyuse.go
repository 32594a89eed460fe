package query

// KeyUse is when a key was last used.
type KeyUse struct {
	Site uint32   // 0 = the admin token
	Key  [32]byte // its SHA-256
	Day  int32    // days since 1970 began, in UTC
}
