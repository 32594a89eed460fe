package dashboard

import (
	"context"
	"time"

	"cairn/http/dialect"
)

// Reports answers calls of the native API.
type Reports interface {
	// Ask answers GET /api/v1/CALL?QUERY about a site, which is nil for calls that need none. call
	// is the path below /api/v1/, with ids percent-encoded. The answer is what a client with the
	// rights of the viewer gets.
	Ask(ctx context.Context, v *Viewer, site *dialect.Site, call, query string) Answer
}

// Answer is the answer of a call.
type Answer struct {
	Status int           // of HTTP
	Body   []byte        // JSON; the caller's own
	Wait   time.Duration // with 429 and 503: when to ask again
}

// Viewer is who looks, and what they may see.
type Viewer struct {
	Sites []*dialect.Site // that may be looked at, in the order of the configuration
	Admin bool            // sees all sites and what only operators see
	Save  bool            // may save things
	Share *Share          // of a share: only what it shows; nil = a browser session

	// Key is what the gate keeps of the viewer, such as the session.
	Key any
}

// Share is a saved share: what a link shows to everybody who has it.
type Share struct {
	Base  string // path of its screens
	Embed bool
}

// Gate knows who looks.
type Gate interface {
	// Viewer returns who sends a request; nil when nobody has logged in. It also is nil for a
	// request that another site's page made (Sec-Fetch-Site), unless it is the navigation to a screen.
	Viewer(req *dialect.Request, screen bool) *Viewer
	// Login returns the cookie of a new session of whoever has a key. Open does so for a
	// one-time code. Both spend tries of the caller's address. An error has a text to show.
	Login(req *dialect.Request, key string) (cookie string, err error)
	Open(req *dialect.Request, code string) (cookie string, err error)
	// Logout ends the session of a request and returns the cookie that deletes it.
	Logout(req *dialect.Request) (cookie string)
	// FromPage reports whether a form was sent by a page of this server (Origin).
	FromPage(req *dialect.Request) bool
	// Readable reports whether a key that is typed in travels readable to this server.
	Readable(req *dialect.Request) bool
}

// Addresses are the addresses of this server as a client of a request knows them. One function
// of the room http makes all of them.
type Addresses interface {
	// Base is what every path of this server begins with, such as "/cairn"; mostly "".
	Base() string
	// Public is the address of a path, such as https://stats.example/cairn/dashboard.
	Public(req *dialect.Request, path string) string
}
