package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"cairn/cli/config"
	"cairn/geo"
)

// This file is "cairn geo". It looks up addresses in the databases that the server would
// use.

func cmdGeo(args []string, stdout, stderr io.Writer) int {
	f := newFlags("geo", "[flags] IP...", "Print the location of IP addresses, as the server would find it.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	database := f.String("database", "", "look in `FILE` instead of the configured database (join several files with "+string(filepath.ListSeparator)+")")
	asJSON := f.Bool("json", false, "print one line of JSON for each address")
	if code, done := f.parse(args, 1, 1<<20, stdout, stderr); done {
		return code
	}
	addrs := make([]netip.Addr, f.NArg())
	for i, text := range f.Args() {
		var err error
		if addrs[i], err = netip.ParseAddr(text); err != nil {
			fmt.Fprintf(stderr, "cairn geo: %q is not an IP address\n", text)
			return ExitUsage
		}
	}
	if *database == "" {
		cfg, _, err := config.Load(cf, os.Environ())
		if err != nil {
			return fail(stderr, "geo", err)
		}
		*database = cfg.Geo.Database
	}
	l := geo.Open(geo.Options{Files: filepath.SplitList(*database), Poll: -1})
	defer l.Close()
	st := l.Status()
	code := ExitOK
	for _, file := range st.Files {
		if file.Err != nil {
			code = fail(stderr, "geo", file.Err)
		} else if !*asJSON {
			fmt.Fprintf(stdout, "%s: %s, built on %s, knows %s\n", file.Path, file.Type, file.Built.Format(time.DateOnly), file.Has)
			if file.Path == "embedded" {
				fmt.Fprintln(stdout, geo.Attribution)
			}
		}
	}
	for _, addr := range addrs {
		printPlace(stdout, addr, l.Lookup(addr), *asJSON)
	}
	return code
}

func printPlace(w io.Writer, addr netip.Addr, p geo.Place, asJSON bool) {
	fields := []struct{ name, value string }{
		{"country", p.Country}, {"region", p.Region}, {"city", p.City}, {"timezone", p.TimeZone},
		{"latitude", p.Latitude}, {"longitude", p.Longitude}, {"asn", p.ASN}, {"organization", p.Organization},
	}
	if asJSON {
		o := map[string]any{"ip": addr.String()}
		for _, f := range fields {
			switch {
			case f.value == "":
			case f.name == "latitude" || f.name == "longitude":
				o[f.name] = json.Number(f.value)
			default:
				o[f.name] = f.value
			}
		}
		b, _ := json.Marshal(o) // strings and number literals always marshal
		fmt.Fprintf(w, "%s\n", b)
		return
	}
	fmt.Fprintf(w, "\n%s\n", addr)
	if p == (geo.Place{}) {
		fmt.Fprintln(w, "  location unknown")
	}
	for _, f := range fields {
		if f.value != "" {
			fmt.Fprintf(w, "  %-13s %s\n", f.name, f.value)
		}
	}
}
