package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
)

// This file is "cairn bench": its flags, and which of them make no sense.

func cmdBench(args []string, stdout, stderr io.Writer) int {
	f := newFlags("bench", "[flags]", `Measure a server with a realistic load: durable single events, batches, listings
and counts. Without -url it starts a server of its own on an empty directory and
removes both afterwards. Phases: fill, single, batch, list, count, counters.`)
	o := bench.Options{Version: version}
	f.StringVar(&o.URL, "url", "", "measure the running server at `URL`")
	f.StringVar(&o.Key, "key", "", "the site's secret `KEY`, with -url")
	f.IntVar(&o.PID, "pid", 0, "process `ID` of the server at -url, to read its CPU time and memory")
	f.StringVar(&o.Dir, "dir", "", "keep the own server's data below `DIR`; with -url, the server's data directory")
	f.StringVar(&o.Memory, "memory", "256MiB", "memory budget of the own server, a `SIZE`")
	f.Uint64Var(&o.Seed, "seed", 1, "`SEED` of the load")
	fill := f.String("fill", "0", "put `N` events in before the rest (50k, 5M)")
	events := f.String("events", "0", "end a write phase after `N` events; 0 = by time only")
	f.DurationVar(&o.Duration, "duration", 5*time.Second, "end a phase after `TIME`")
	conns := f.String("conns", "1,64,256", "`LIST` of connection counts for single events")
	f.IntVar(&o.BatchConns, "batch-conns", 4, "`N` connections for batches")
	phases := f.String("phases", "single,batch,list,count,counters", "`LIST` of phases to run")
	f.BoolVar(&o.Limits, "limits", false, "measure HTTP, fsync, Pebble and JSON alone, too")
	asJSON := f.Bool("json", false, "print JSON instead of tables")
	f.BoolVar(&o.Keep, "keep", false, "leave the own server's data")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	err := func() (err error) {
		if o.Fill, err = bench.ParseCount(*fill); err != nil {
			return fmt.Errorf("-fill: %w", err)
		}
		if o.Events, err = bench.ParseCount(*events); err != nil {
			return fmt.Errorf("-events: %w", err)
		}
		for text := range strings.SplitSeq(*conns, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil || n < 1 || n > 10_000 {
				return fmt.Errorf("-conns: %q is no number in 1..10000", text)
			}
			o.Conns = append(o.Conns, n)
		}
		for name := range strings.SplitSeq(*phases, ",") {
			if name = strings.TrimSpace(name); name == "" || name == "fill" {
				continue
			}
			if !slices.Contains(bench.Phases, name) {
				return fmt.Errorf("-phases: unknown phase %q%s", name, config.DidYouMean(name, bench.Phases))
			}
			o.Phases = append(o.Phases, name)
		}
		switch {
		case o.URL != "" && o.Key == "":
			return errors.New("-url needs -key")
		case o.BatchConns < 1:
			return errors.New("-batch-conns must be above 0")
		case o.Duration <= 0:
			return errors.New("-duration must be above 0")
		}
		return nil
	}()
	if err != nil {
		fmt.Fprintf(stderr, "cairn bench: %v\n", err)
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	report, err := bench.Run(ctx, o, stderr)
	if report != nil {
		if *asJSON {
			report.WriteJSON(stdout)
		} else {
			report.WriteTable(stdout)
		}
	}
	if err != nil {
		return fail(stderr, "bench", err)
	}
	return ExitOK
}
