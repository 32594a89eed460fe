// Package cli is the command line of cairn. It reads flags and the configuration, puts the
// parts of a server together, and has one function for each command.
//
// Read this file first: it has the table of commands and their flags. serve.go is the server,
// datadir.go says which directories it takes, admin.go has snapshot, restore and check; keys.go,
// geo.go and bench.go are the commands of these names.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	_ "time/tzdata" // sites name their time zone; a bare machine has no zoneinfo

	"cairn/cli/config"
)

// version is what Main was given.
var version string

// Exit codes of every command.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2  // the command line is wrong, and stderr says how
	ExitFatal  = 70 // the store can take no more writes
)

// command is one word after "cairn". run gets the arguments after the word and
// returns the exit code.
type command struct {
	name, args, summary string
	run                 func(args []string, stdout, stderr io.Writer) int
}

var commands []command

func init() { // not in the declaration: help refers to the table
	commands = []command{
		{"serve", "[flags]", "run the server", serve},
		{"keys", "[flags]", "print the keys of every site and lines to try them", printKeys},
		{"snapshot", "[flags]", "make a snapshot through the running server", snapshot},
		{"restore", "SNAPSHOT DATA_DIR", "make a data directory from a snapshot", restore},
		{"check", "DATA_DIR|SNAPSHOT", "recount index and counters against the log", check},
		{"bench", "[flags]", "measure a server with a realistic load", cmdBench},
		{"geo", "[flags] IP...", "print where addresses are", cmdGeo},
		{"version", "", "print the version", printVersion},
		{"help", "[COMMAND]", "print this, or the flags of a command", help},
	}
}

// Main carries out the command line of this process and ends it with the exit code.
// v is the version of cairn, such as "1.2.3", as it is printed, logged and answered.
func Main(v string) {
	version = v
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		printUsage(stderr)
		return ExitUsage
	}
	switch name := args[0]; name {
	case "-h", "-help", "--help":
		printUsage(stdout)
		return ExitOK
	case "-version", "--version":
		return printVersion(nil, stdout, stderr)
	default:
		for _, c := range commands {
			if c.name == name {
				return c.run(args[1:], stdout, stderr)
			}
		}
		names := make([]string, len(commands))
		for i, c := range commands {
			names[i] = c.name
		}
		fmt.Fprintf(stderr, "cairn: unknown command %q%s\n", name, config.DidYouMean(name, names))
		fmt.Fprintln(stderr, `Run "cairn help" for the commands.`)
		return ExitUsage
	}
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "Cairn keeps events: a durable store with an HTTP server in front.\n\nUsage: cairn COMMAND [arguments]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-9s %-18s %s\n", c.name, c.args, c.summary)
	}
	fmt.Fprint(w, "\n\"cairn COMMAND -h\" prints the flags of a command.\nExit codes: 0 good, 1 failed, 2 wrong usage, 70 the store can take no more writes.\n")
}

func help(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		printUsage(stdout)
		return ExitOK
	}
	return run([]string{args[0], "-h"}, stdout, stderr)
}

func printVersion(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("version", "", "Print the version and what it was built with.")
	if code, done := fs.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				revision = " " + s.Value[:12]
			}
		}
	}
	fmt.Fprintf(stdout, "cairn %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return ExitOK
}

// flags is the FlagSet of one command together with its help.
type flags struct {
	*flag.FlagSet
	args, about string
}

func newFlags(name, args, about string) *flags {
	f := &flags{flag.NewFlagSet(name, flag.ContinueOnError), args, about}
	f.SetOutput(io.Discard) // parse says what is wrong, once
	return f
}

// parse reads args and wants between least and most operands. With done set the
// command is over and code is its exit code: help was asked for, or the usage
// was wrong and stderr says how.
func (f *flags) parse(args []string, least, most int, stdout, stderr io.Writer) (code int, done bool) {
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.help(stdout)
		return ExitOK, true
	case err == nil && f.NArg() < least:
		err = errors.New("too few arguments")
	case err == nil && f.NArg() > most:
		err = fmt.Errorf("unexpected argument %q", f.Arg(most))
	}
	if err != nil {
		fmt.Fprintf(stderr, "cairn %s: %v\nRun \"cairn help %s\" for its usage.\n", f.Name(), err, f.Name())
		return ExitUsage, true
	}
	return 0, false
}

func (f *flags) help(w io.Writer) {
	line := "Usage: cairn " + f.Name()
	if f.args != "" {
		line += " " + f.args
	}
	fmt.Fprintf(w, "%s\n\n%s\n", line, f.about)
	first := true
	f.VisitAll(func(fl *flag.Flag) {
		if first {
			fmt.Fprint(w, "\nFlags:\n")
			first = false
		}
		value, about := flag.UnquoteUsage(fl)
		fmt.Fprintf(w, "  %-20s %s", "-"+fl.Name+" "+value, about)
		if fl.DefValue != "" && fl.DefValue != "0" && fl.DefValue != "false" {
			fmt.Fprintf(w, " (default %s)", fl.DefValue)
		}
		fmt.Fprintln(w)
	})
}

// fail prints err for the command and returns exit code 1.
func fail(stderr io.Writer, command string, err error) int {
	fmt.Fprintf(stderr, "cairn %s: %v\n", command, err)
	return ExitFailed
}
