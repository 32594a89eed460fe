package openpanel

// Settings are the keys of [site.openpanel]; the zero value is the default. A *Settings
// among dialect.Site.Settings holds for the site.
type Settings struct {
	UnsafeRevenue bool `toml:"unsafe_revenue"` // browsers may send revenue without a secret
}
