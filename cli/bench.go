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

// This file is "cairn bench": it reads and checks the flags.

// crowdMax is the most users and the most products of a load.
const crowdMax = 100_000_000

// daysMax is the most days of a fill.
const daysMax = 1000

func cmdBench(args []string, stdout, stderr io.Writer) int {
	f := newFlags("bench", "[flags]", `Measure a server under a realistic load: single events, batches, listings and counts.
Without -url it starts its own server with an empty data directory and removes both
afterwards. Phases: fill, single, batch, mixed, reports, dashboard, list, count, counters, data,
sinks. The phase data exports the fill, erases two persons of about a thousand events, deletes the oldest
fifth while events come in, and imports events and an access log. The phase sinks measures
what it costs to carry every event to a sink; ! marks a missed target.`)
	o := bench.Options{Version: version}
	f.StringVar(&o.URL, "url", "", "measure the running server at `URL`")
	f.StringVar(&o.Key, "key", "", "use `KEY`, the secret_key of a site of the server at -url")
	f.IntVar(&o.PID, "pid", 0, "measure the CPU time and memory of process `ID`, the server at -url")
	f.StringVar(&o.Dir, "dir", "", "make bench's own data directory below `DIR`; with -url, DIR is the data directory of that server")
	f.StringVar(&o.Memory, "memory", "256MiB", "set the memory budget of bench's own server to `SIZE`")
	f.Uint64Var(&o.Seed, "seed", 1, "make the load from `SEED`; the same seed makes the same events")
	fill := f.String("fill", "0", "first write `N` events, for example 50k or 5M")
	users := f.String("users", "1M", "draw the user of each visit from `N` users by Zipf's law; most of them are rare")
	products := f.String("products", "50k", "draw the product of each event from `N` products by Zipf's law")
	f.IntVar(&o.Days, "days", 7, "spread the events of -fill over the last `N` days")
	events := f.String("events", "0", "end a write phase after `N` events; 0 = no limit but the time")
	f.DurationVar(&o.Duration, "duration", 5*time.Second, "end each phase after `TIME`")
	conns := f.String("conns", "1,64,256", "send single events over these numbers of connections, one phase for each number in `LIST`")
	f.IntVar(&o.BatchConns, "batch-conns", 4, "send batches over `N` connections")
	phases := f.String("phases", "single,batch,list,count,counters", "run the phases in `LIST`; mixed, reports, dashboard, data and sinks run only if LIST has them; data needs -fill")
	f.DurationVar(&o.Mixed, "mixed", 10*time.Minute, "end the phase mixed after `TIME`: all protocols, two sites, a new name of a property every 8 s, a line every 30 s; needs -phases mixed")
	f.Float64Var(&o.Rate, "rate", 1500, "send `N` events a second in the phase mixed")
	f.BoolVar(&o.Limits, "limits", false, "also measure HTTP, fsync, Pebble and JSON alone")
	f.StringVar(&o.Sink, "sink", "", "in the phase sinks, send to `URL`, http://HOST:PORT of ClickHouse or kafka://HOST:PORT (default: to bench itself, which keeps nothing); other variables that begin with CAIRN_SINK_ are kept")
	asJSON := f.Bool("json", false, "print JSON instead of tables")
	f.BoolVar(&o.Keep, "keep", false, "do not remove the data of bench's own server")
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
		for _, flag := range []struct {
			name, text string
			to         *int
		}{{"users", *users, &o.Users}, {"products", *products, &o.Products}} {
			n, err := bench.ParseCount(flag.text)
			if err != nil || n < 1 || n > crowdMax {
				return fmt.Errorf("-%s: %q is not a number from 1 to %d", flag.name, flag.text, int64(crowdMax))
			}
			*flag.to = int(n)
		}
		for text := range strings.SplitSeq(*conns, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil || n < 1 || n > 10_000 {
				return fmt.Errorf("-conns: %q is not a number from 1 to 10000", text)
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
		case o.Days < 1 || o.Days > daysMax:
			return fmt.Errorf("-days must be from 1 to %d", daysMax)
		case o.Duration <= 0:
			return errors.New("-duration must be above 0")
		case o.URL != "" && slices.Contains(o.Phases, "mixed"):
			return errors.New("-phases mixed needs two sites, so bench starts its own server; leave out -url")
		case o.URL != "" && slices.Contains(o.Phases, "data"):
			return errors.New("-phases data deletes events, so bench starts its own server; leave out -url")
		case o.URL != "" && slices.Contains(o.Phases, "sinks"):
			return errors.New("-phases sinks starts its own servers; leave out -url")
		case bench.CheckSink(o.Sink) != nil:
			return fmt.Errorf("-sink: %w", bench.CheckSink(o.Sink))
		case o.Fill == 0 && slices.Contains(o.Phases, "data"):
			return errors.New("-phases data needs -fill, such as -fill 1M")
		case o.Mixed <= 0:
			return errors.New("-mixed must be above 0")
		case !(o.Rate > 0 && o.Rate <= 1e6):
			return errors.New("-rate must be above 0 and at most 1000000")
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
