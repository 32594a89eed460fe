package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	_ "time/tzdata" // for the time zones of sites, on machines without zoneinfo

	"cairn/cli/config"
)

// version is the version of cairn that Main was given.
var version string

// Exit codes of every command.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2  // the command line is wrong; stderr says what is wrong
	ExitFatal  = 70 // the store can no longer accept writes
)

// command is one word after "cairn". run gets the arguments after the word and
// returns the exit code. Help and manual leave out a command without a summary.
type command struct {
	name, args, summary string
	run                 func(args []string, stdout, stderr io.Writer) int
}

var commands []command

func init() { // a declaration with a value would be a cycle, because help uses the table
	commands = []command{
		{"serve", "[flags]", "run the server", serve},
		{"keys", "[flags]", "print the keys of every site and commands to try them", printKeys},
		{"key", "add|list|set|rotate|remove [flags]", "make, list, change, replace and remove keys of a site", cmdKey},
		{"site", "add|list|set|remove [flags]", "add, list, change and remove sites of the running server", cmdSite},
		{"reload", "[flags]", "have the running server read its configuration again", reloadServer},
		{"mcp", "[flags]", "answer an assistant that started this command", cmdMCP},
		{"dashboard", "[flags]", "print a link that opens the dashboard of the running server", openDashboard},
		{"report", "[NAME] [flags] [FILTER...]", "print a report: numbers, tables and graphs", report},
		{"export", "[flags] [FILTER]", "write the events of a site to a file: NDJSON, CSV or Parquet", exportEvents},
		{"import", "[flags] FILE...", "send what other tools have recorded to the running server", cmdImport},
		{"forget", "[flags] [FILTER...]", "delete all events of a person, or those that filters select", forget},
		{"retention", "[flags]", "show what will be deleted next because of its age", retention},
		{"doctor", "[flags]", "look for what needs a hand", doctor},
		{"config", "check|show [flags]", "check the configuration, or show it and where its values come from", cmdConfig},
		{"tail", "[flags] [FILTER...]", "print events as they come, or what is refused", cmdTail},
		{"snapshot", "[flags]", "make a snapshot of the running server's data", snapshot},
		{"backup", "[flags] [now|list|verify]", "back up now, or list or verify the backups", cmdBackup},
		{"sink", "[flags] schema|status|check", "print the table of a sink, how far sinks are, and whether they have all", cmdSink},
		{"restore", "SNAPSHOT|BACKUP[@TIME] DATA_DIR", "make a data directory from a snapshot or a backup", restore},
		{"check", "DATA_DIR|SNAPSHOT", "verify a store: recount its index and counters", checkStore},
		{"repair", "DATA_DIR NEW_DIR", "save what is sound in a damaged store", repairStore},
		{"bench", "[flags]", "measure the speed of a server under a realistic load", cmdBench},
		{"geo", "[flags] IP...", "print the location of IP addresses", cmdGeo},
		{"healthcheck", "[flags]", "ask the running server whether it is ready; for containers", healthcheck},
		{"completion", "bash|zsh|fish", "print a script that completes commands and flags in a shell", completion},
		{"man", "", "", man},
		{"version", "[flags]", "print the version", printVersion},
		{"help", "[COMMAND]", "print this help, or the help of a command", help},
	}
}

// Main runs the command line of this process and ends the process with the exit code. v is
// the version of cairn, such as "1.2.3".
func Main(v string) {
	version = v
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command line and returns its exit code.
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
		fmt.Fprintln(stderr, `Run "cairn help" for the list of commands.`)
		return ExitUsage
	}
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "cairn stores events and answers questions about them, over HTTP.\n\nUsage: cairn COMMAND [arguments]\n\n")
	for _, c := range commands {
		if c.summary != "" {
			fmt.Fprintf(w, "  %-11s %-18s %s\n", c.name, c.args, c.summary)
		}
	}
	fmt.Fprint(w, "\n\"cairn COMMAND -h\" prints the flags of a command.\nExit codes: 0 success, 1 failure, 2 wrong usage, 3 an import refused records, 70 the store can no longer accept writes.\n")
}

func help(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		printUsage(stdout)
		return ExitOK
	}
	return run(append(slices.Clone(args), "-h"), stdout, stderr)
}

// flags is the FlagSet of one command together with its help.
type flags struct {
	*flag.FlagSet
	args, about string
	positional  []string // what is no flag, set by parse

	words   []string                // that the first argument may be; nil = args says it
	unknown func(name string) error // says what is wrong with a flag that there is none of; nil = flag does
}

// Args returns the arguments that are no flags.
func (f *flags) Args() []string { return f.positional }

// Arg returns one of them, "" when there is none.
func (f *flags) Arg(i int) string {
	if i >= len(f.positional) {
		return ""
	}
	return f.positional[i]
}

// NArg returns how many there are.
func (f *flags) NArg() int { return len(f.positional) }

func newFlags(name, args, about string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), args: args, about: about}
	f.SetOutput(io.Discard) // parse prints the error itself
	return f
}

// parse reads args and requires from least to most operands. When done is true the command
// ends with exit code code: the user asked for help, or the usage is wrong and stderr says
// what is wrong.
func (f *flags) parse(args []string, least, most int, stdout, stderr io.Writer) (code int, done bool) {
	// Flags may stand behind arguments, too. "--" ends them.
	var rest []string
	err := f.Parse(args)
	for err == nil && f.FlagSet.NArg() > 0 {
		at := len(args) - f.FlagSet.NArg()
		if at > 0 && args[at-1] == "--" {
			break
		}
		rest, args = append(rest, f.FlagSet.Arg(0)), f.FlagSet.Args()[1:]
		err = f.Parse(args)
	}
	f.positional = append(rest, f.FlagSet.Args()...)
	switch {
	case errors.Is(err, flag.ErrHelp):
		if d, ok := stdout.(*describer); ok {
			d.flags = f
			return ExitOK, true
		}
		f.help(stdout)
		return ExitOK, true
	case err != nil && f.unknown != nil && strings.HasPrefix(err.Error(), undefined):
		err = f.unknown(strings.TrimPrefix(err.Error(), undefined))
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

// usageOf is how the value of a flag is called, and what the flag is for.
func usageOf(fl *flag.Flag) (value, about string) {
	if v, ok := fl.Value.(interface{ valueName() string }); ok {
		return v.valueName(), fl.Usage
	}
	return flag.UnquoteUsage(fl)
}

// undefined begins the error of package flag for a flag that there is none of.
const undefined = "flag provided but not defined: -"

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
		value, about := usageOf(fl)
		fmt.Fprintf(w, "  %-20s %s", "-"+fl.Name+" "+value, about)
		if fl.DefValue != "" && fl.DefValue != "0" && fl.DefValue != "false" {
			fmt.Fprintf(w, " (default %s)", fl.DefValue)
		}
		fmt.Fprintln(w)
	})
}

// fail prints err as the error of the command and returns ExitFailed.
func fail(stderr io.Writer, command string, err error) int {
	fmt.Fprintf(stderr, "cairn %s: %v\n", command, err)
	return ExitFailed
}
