package cli

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"text/tabwriter"
	"time"

	"cairn/cli/config"
	"cairn/engine"
	"cairn/http/wire"
)

// This file answers profiles of the running server on debug_listen, and what its queries have
// read. A profile shows parts of the memory of the process, so it is never on the address that
// clients use.

// listenDebug serves the profiles of this process, if the configuration has an address for
// them, and what reads returns. The caller closes what it returns, which is nil without an address.
func listenDebug(cfg *config.Config, reads func() engine.PageReads, log *slog.Logger) (*http.Server, error) {
	if cfg.DebugListen == "" {
		return nil, nil
	}
	ln, err := net.Listen("tcp", cfg.DebugAddress())
	if err != nil {
		return nil, err
	}
	local := ln.Addr().(*net.TCPAddr).IP.IsLoopback()
	if !local {
		log.Warn("debug_listen is not an address of this machine alone: whoever reaches it can read the memory of the server", "address", ln.Addr().String())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pages", func(w http.ResponseWriter, _ *http.Request) { writePages(w, reads()) })
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if local && !wire.LocalHost(r.Host) {
				http.Error(w, "ask for an address or localhost", http.StatusForbidden)
				return
			}
			mux.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go s.Serve(ln) // until the caller closes s
	log.Info("profiles are served", "url", "http://"+ln.Addr().String()+"/debug/pprof/")
	return s, nil
}

// writePages writes what queries have read since the start, a line for each kind of page. The
// difference of two such tables is what the queries between them have touched.
func writePages(w io.Writer, reads engine.PageReads) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "page\tfrom the cache\tfrom tables\tbytes of these\t")
	for _, k := range reads.Kinds {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t\n", k.Kind, k.Hits, k.Loads, k.Bytes)
	}
	fmt.Fprintf(t, "all, as stored\t\t%d\t%d\t\n", reads.Tables.Keys, reads.Tables.Bytes)
	_ = t.Flush() // the client has gone
}
