package httpd

import (
	"context"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"cairn/engine"
	"cairn/engine/query"
	"cairn/http/adminlog"
	"cairn/http/auth"
	"cairn/http/native"
)

// Site is one site as its clients see it: the engine's site, the credentials
// that open it, one set for all dialects, and what a dialect may be told.
type Site struct {
	*engine.Site
	WriteKey      string // Segment; public, may only write
	ClientID      string // OpenPanel
	ClientSecret  string
	SecretKey     string // Oppizi and the native API: read and write
	TokenAuth     string // Matomo
	TrackingToken string // Matomo: may do what TokenAuth may, except read
	ReadKey       string // may only read

	More []auth.Key // keys of any kinds, beside the one of each kind above

	Origins   []string // browsers that may send without a secret (OpenPanel)
	RateLimit int      // events a second; 0 = none
	DNT, GPC  bool     // honour these headers
	Exclude   Exclusions
	Settings  []any // of the dialects, see dialect.Site
}

// Engine is what the server asks of the engine, for itself and for the native API.
type Engine interface {
	engine.API

	// NoteDamage takes the error of any call. If it tells of damage, Stats has its file from
	// then on.
	NoteDamage(err error)
	native.Engine

	// Sessions of browsers at the dashboard, and a name for the store that their cookies have.
	auth.Keeper
	StoreName() string
	// ShareOf returns the saved share whose token has a SHA-256, and the ID of its site;
	// query.ErrNotFound when there is none.
	ShareOf(ctx context.Context, token [32]byte) (site uint32, s query.Saved, err error)
}

// Options configure a Server. Server.Prepare replaces some of them.
type Options struct {
	Engine         Engine
	Sites          []*Site
	Implicit       bool           // no [[site]] is configured: every site name means the only site
	AdminToken     string         // reads and writes every site, makes snapshots
	MetricsToken   string         // reads /metrics, and nothing else; "" = there is none
	SnapshotDir    string         // where POST /api/v1/admin/snapshot puts them
	Backups        native.Backups // nil = there is no backup
	TrustedProxies []netip.Prefix // wire.UnixPeers stands for all peers at unix sockets
	IPRate         float64        // requests a second of one address; 0 = 200
	IPBurst        int            // requests of one address at once; 0 = five times IPRate
	IPConns        int            // connections of one address; 0 = 256
	Addresses      Addresses
	Certificates   Certificates // that are fetched, see ServeRedirect; nil = none
	Dashboard      bool         // there is a dashboard
	Assistants     Assistants   // may ask at /mcp
	ReadOnly       bool         // the engine takes no writes, and the dashboard says so
	Memory         int64        // budget of the process in bytes; bounds open connections
	Conns          int          // connections that the process has files for; 0 = as Memory allows
	Version        string
	Log            *slog.Logger
	Now            func() time.Time

	// Control changes the configuration of the process; nil = nobody does.
	Control native.Control

	// Metrics puts more samples into /metrics, after what the engine and the server count.
	// Samples of the same name follow each other. kind is counter or gauge; labels are
	// pairs of a name and a value. Degraded returns more reasons for /healthz, which anybody
	// may read. nil = nothing.
	Metrics  func(put func(name, kind, help string, value float64, labels ...string))
	Degraded func() []string

	// Keyring changes the keys of the sites; nil = nobody does.
	Keyring native.Keyring
	// AdminLog gets what is done with a key that may do more than read and send. nil = nobody.
	AdminLog *adminlog.Log
	// Commands is the path of the socket through which the commands of this machine come; "" =
	// there is none.
	Commands string

	// Geo returns how closely addresses are located: country, region, city, or "" for not at all;
	// and the text that pages with locations must show, "" when there is none. nil = not at all.
	Geo func() (finest, credit string)
}

// setDefaults fills in the limits that are left out.
func (o *Options) setDefaults() {
	if o.IPRate == 0 {
		o.IPRate = 200
	}
	if o.IPBurst == 0 {
		o.IPBurst = int(math.Ceil(min(5*o.IPRate, 1<<30)))
	}
	if o.IPConns == 0 {
		o.IPConns = 256
	}
}
