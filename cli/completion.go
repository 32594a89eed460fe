package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// This file is "cairn completion": scripts that complete command lines of cairn in a shell. They
// are made from the table of commands.

func completion(args []string, stdout, stderr io.Writer) int {
	f := newFlags("completion", "bash|zsh|fish", "Print a script that completes commands and flags in a shell. Packages of cairn install it.\nElsewhere:\n\n  bash  source <(cairn completion bash)\n  zsh   source <(cairn completion zsh)\n  fish  cairn completion fish | source")
	if code, done := f.parse(args, 1, 1, stdout, stderr); done {
		return code
	}
	write, ok := map[string]func(io.Writer, []described){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}[f.Arg(0)]
	if !ok {
		return failUsage(stderr, "completion", fmt.Errorf("unknown shell %q: there are bash, zsh and fish", f.Arg(0)))
	}
	write(stdout, describe())
	return ExitOK
}

// failUsage prints err as wrong usage of the command and returns ExitUsage.
func failUsage(stderr io.Writer, command string, err error) int {
	fail(stderr, command, err)
	return ExitUsage
}

// topCommands returns the commands without the subcommands.
func topCommands(list []described) (names []string) {
	for _, d := range list {
		if !strings.Contains(d.name, " ") {
			names = append(names, d.name)
		}
	}
	return names
}

// flagNames returns the flags of a command, each with its dash.
func (d *described) flagNames() (names []string) {
	for _, f := range d.flags {
		names = append(names, "-"+f.name)
	}
	return names
}

// operands returns what the first argument of a command may be.
func (d *described) operands(list []described) []string {
	if d.name == "help" {
		return topCommands(list)
	}
	return d.words
}

// firstSentence shortens a text for a menu of completions.
func firstSentence(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, "; ")
	return text
}

// completeBash needs nothing but bash itself.
func completeBash(w io.Writer, list []described) {
	fmt.Fprintf(w, `# bash completion for cairn, made by "cairn completion bash"

_cairn() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
    local words= flags= values= files= i
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W %s -- "$cur"))
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do # a subcommand has flags of its own
        case "$command ${COMP_WORDS[i]}" in
%s            *) ;;
        esac
    done
    case $command in
`, quoteShell(strings.Join(topCommands(list), " ")), bashSubcommands(list))
	for _, d := range list {
		fmt.Fprintf(w, "        %s)\n            flags=%s\n", quoteShell(d.name), quoteShell(strings.Join(d.flagNames(), " ")))
		if words := d.operands(list); len(words) > 0 {
			fmt.Fprintf(w, "            words=%s\n", quoteShell(strings.Join(words, " ")))
		}
		if d.files {
			fmt.Fprint(w, "            files=yes\n")
		}
		var cases strings.Builder
		for _, f := range d.flags {
			switch {
			case f.value == "":
			case f.values != nil:
				fmt.Fprintf(&cases, "                -%s) values=%s ;;\n", f.name, quoteShell(strings.Join(f.values, " ")))
			case f.file:
				fmt.Fprintf(&cases, "                -%s) return ;;\n", f.name) // bash completes a file itself
			default:
				fmt.Fprintf(&cases, "                -%s) compopt +o default; return ;;\n", f.name)
			}
		}
		if cases.Len() > 0 {
			fmt.Fprintf(w, "            case $prev in\n%s            esac\n", cases.String())
		}
		fmt.Fprint(w, "            ;;\n")
	}
	fmt.Fprint(w, `        *) return ;;
    esac
    if [ -n "$values" ]; then
        COMPREPLY=($(compgen -W "$values" -- "$cur"))
    elif [ "${cur#-}" != "$cur" ]; then
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    elif [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    elif [ -z "$files" ]; then
        compopt +o default # no file belongs here
    fi
}
complete -o default -F _cairn cairn
`)
}

// bashSubcommands returns the cases that find the subcommand of a command line.
func bashSubcommands(list []described) string {
	var b strings.Builder
	for _, d := range list {
		if strings.Contains(d.name, " ") {
			fmt.Fprintf(&b, "            %s) command=%[1]s ;;\n", quoteShell(d.name))
		}
	}
	return b.String()
}

func completeZsh(w io.Writer, list []described) {
	fmt.Fprint(w, `#compdef cairn
# zsh completion for cairn, made by "cairn completion zsh"

_cairn() {
    local -a commands
    local command=${words[2]} i
    commands=(
`)
	for _, d := range list {
		if !strings.Contains(d.name, " ") {
			fmt.Fprintf(w, "        %s\n", quoteShell(d.name+":"+d.summary))
		}
	}
	fmt.Fprint(w, `    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
`)
	for _, d := range list {
		if command, word, sub := strings.Cut(d.name, " "); sub {
			fmt.Fprintf(w, "    [[ $command == %s && ${words[(i)%s]} -lt CURRENT ]] && command=%s\n", command, word, quoteShell(d.name))
		}
	}
	fmt.Fprint(w, "    shift words; (( CURRENT-- ))\n    case $command in\n")
	for _, d := range list {
		fmt.Fprintf(w, "        %s)\n            _arguments", quoteShell(d.name))
		for _, f := range d.flags {
			spec := "-" + f.name + "[" + escapeZsh(firstSentence(f.about)) + "]"
			if f.value != "" {
				spec += ":" + escapeZsh(f.value) + ":"
				switch {
				case f.values != nil:
					spec += "(" + strings.Join(f.values, " ") + ")"
				case f.file:
					spec += "_files"
				}
			}
			fmt.Fprintf(w, " \\\n                %s", quoteShell(spec))
		}
		switch words := d.operands(list); {
		case len(words) > 0:
			fmt.Fprintf(w, " \\\n                %s", quoteShell("1::argument:("+strings.Join(words, " ")+")"))
		case d.files:
			fmt.Fprintf(w, " \\\n                %s", quoteShell("*:file:_files"))
		}
		if !d.files { // else zsh completes no flag after a word, such as the name of a report or a filter
			fmt.Fprintf(w, " \\\n                %s", quoteShell("*:argument:()"))
		}
		fmt.Fprint(w, "\n            ;;\n")
	}
	fmt.Fprint(w, `    esac
}

if [ "$funcstack[1]" = "_cairn" ]; then
    _cairn "$@"
else
    compdef _cairn cairn
fi
`)
}

// escapeZsh escapes what ends a text in a spec of _arguments.
func escapeZsh(text string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

func completeFish(w io.Writer, list []described) {
	fmt.Fprint(w, "# fish completion for cairn, made by \"cairn completion fish\"\n\n")
	tops := topCommands(list)
	for _, d := range list {
		command, word, sub := strings.Cut(d.name, " ")
		when := "__fish_seen_subcommand_from " + command
		if sub {
			when += "; and __fish_seen_subcommand_from " + word
		} else {
			fmt.Fprintf(w, "complete -c cairn -n __fish_use_subcommand -f -a %s -d %s\n", d.name, quoteFish(d.summary))
			if !d.files {
				fmt.Fprintf(w, "complete -c cairn -n %s -f\n", quoteFish(when))
			}
		}
		for _, word := range d.operands(list) {
			seen := d.words
			if d.name == "help" {
				seen = slices.DeleteFunc(slices.Clone(tops), func(s string) bool { return s == "help" })
			}
			fmt.Fprintf(w, "complete -c cairn -n %s -f -a %s\n", quoteFish(when+"; and not __fish_seen_subcommand_from "+strings.Join(seen, " ")), word)
		}
		for _, f := range d.flags {
			line := fmt.Sprintf("complete -c cairn -n %s -o %s -d %s", quoteFish(when), f.name, quoteFish(firstSentence(f.about)))
			switch {
			case f.value == "":
			case f.values != nil:
				line += " -x -a " + quoteFish(strings.Join(f.values, " "))
			case f.file:
				line += " -r -F"
			default:
				line += " -x"
			}
			fmt.Fprintln(w, line)
		}
	}
}

func quoteFish(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// quoteShell quotes a text for sh, bash and zsh.
func quoteShell(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
