package query

// BrowserSession is somebody who has logged in to the dashboard with a browser. Times are Unix
// milliseconds.
type BrowserSession struct {
	ID    [32]byte // SHA-256 of the secret in the browser's cookie
	Key   [32]byte // SHA-256 of the key that was shown at the login
	Site  uint32   // that the key opens; 0 = all sites
	Right uint8    // that the key had, as http/dialect numbers them
	Begin int64
	Used  int64 // when the browser last asked, or some minutes before
}
