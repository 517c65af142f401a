package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// verb is a word of the command line, and what it does.
type verb struct {
	name, args, does string
	run              func(*app, []string) (status int, err error)
	example          string
}

// group is verbs that belong together.
type group struct {
	title string
	verbs []verb
}

// groups are all verbs there are. Their flags stand with what they do.
func groups() []group {
	return []group{
		{"a container's life", lifeVerbs()},
		{"while it runs", runningVerbs()},
		{"looking", lookingVerbs()},
		{"before there is one", []verb{
			{
				"spec", "[flags]", "write a config.json to begin with",
				(*app).spec, "minirun spec --bundle web --rootless",
			},
			{
				"plan", "[flags] [ID]", "tell which system calls a bundle comes to; make nothing",
				(*app).plan, "minirun plan --bundle web --json",
			},
			{
				"features", "", "tell what of the specification is supported, as JSON",
				(*app).features, "minirun features",
			},
		}},
	}
}

// lifeVerbs are those of the specification: from nothing to a container, and back.
func lifeVerbs() []verb {
	return []verb{
		{
			"run", "[flags] ID", "make a container, start it, wait for its end, remove it",
			(*app).run, "minirun run --bundle web web",
		},
		{
			"create", "[flags] ID", "make a container; its command waits for start",
			(*app).create, "minirun create --bundle web --pid-file web.pid web",
		},
		{
			"start", "ID", "let the command of a created container go",
			(*app).start, "minirun start web",
		},
		{
			"kill", "[flags] ID [SIGNAL]", "send a signal, by number or name, or TERM",
			(*app).kill, "minirun kill --all web KILL",
		},
		{
			"delete", "[flags] ID", "remove a container that has stopped, or was not started",
			(*app).remove, "minirun delete --force web",
		},
	}
}

// runningVerbs change a container that runs.
func runningVerbs() []verb {
	return []verb{
		{
			"exec", "[flags] ID COMMAND [ARG…]", "execute one more command in a container",
			(*app).exec, "minirun exec --tty --user 1000:1000 web sh",
		},
		{
			"pause", "ID", "stop all processes of a container where they are",
			(*app).pause, "minirun pause web",
		},
		{
			"resume", "ID", "let the processes of a paused container go on",
			(*app).resume, "minirun resume web",
		},
		{
			"update", "[flags] ID", "change limits of a container; those not named stay",
			(*app).update, "minirun update --memory 67108864 --pids-limit 100 web",
		},
	}
}

// lookingVerbs change nothing.
func lookingVerbs() []verb {
	return []verb{
		{
			"state", "ID", "tell what is known of a container, as JSON",
			(*app).state, "minirun state web",
		},
		{
			"list", "[flags]", "tell of all containers",
			(*app).list, "minirun list --format json",
		},
		{
			"ps", "[flags] ID [PS-FLAG…]", "tell of a container's processes, as ps(1) does",
			(*app).ps, "minirun ps web -o pid,user,args",
		},
		{
			"events", "[flags] ID", "tell what a container uses, and when its memory ran out",
			(*app).events, "minirun events --interval 1s web",
		},
	}
}

// helpWanted is the error of a command line that asks for help: the flags that it could
// have had.
type helpWanted struct{ flags *flag.FlagSet }

// Error is there for those who do not know it.
func (helpWanted) Error() string { return flag.ErrHelp.Error() }

// help lists the verbs, and the flags that stand before them.
func (a *app) help(flags *flag.FlagSet) error {
	return a.columns(func(w io.Writer) {
		fmt.Fprintln(w, "usage: minirun [flags] VERB [flags] [ARGUMENTS]")
		for _, g := range groups() {
			fmt.Fprintf(w, "\n%s\n", g.title)
			for _, v := range g.verbs {
				fmt.Fprintf(w, "  %-8s  %s\n", v.name, v.does)
			}
		}
		fmt.Fprintln(w, "\nbefore the verb")
		printFlags(w, flags)
		fmt.Fprintln(w, "\nminirun VERB --help tells of one verb and its flags.")
	})
}

// helpVerb tells of one verb.
func (a *app) helpVerb(v verb, flags *flag.FlagSet) error {
	return a.columns(func(w io.Writer) {
		fmt.Fprintf(w, "usage: minirun %s\n\n%s\n", strings.TrimSpace(v.name+" "+v.args), v.does)
		if len(names(flags)) > 0 {
			fmt.Fprintln(w)
			printFlags(w, flags)
		}
		fmt.Fprintf(w, "\nexample: %s\n", v.example)
	})
}

// columns prints text whose tabs part columns.
func (a *app) columns(print func(io.Writer)) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	print(w)
	err := w.Flush()
	_, printed := io.WriteString(a.out, text.String())
	return errors.Join(err, printed)
}

// printFlags prints one line for each flag.
//
//	-b, --bundle DIR  find the config.json in DIR (default .)
func printFlags(w io.Writer, flags *flag.FlagSet) {
	for _, same := range names(flags) {
		long := same[len(same)-1]
		value, does := flag.UnquoteUsage(long)
		line := "    "
		if len(same) > 1 {
			line = "-" + same[0].Name + ", "
		}
		line += strings.TrimSpace("--" + long.Name + " " + value)
		if long.DefValue != "" && long.DefValue != "false" && long.DefValue != "0" {
			does += fmt.Sprintf(" (default %s)", long.DefValue)
		}
		fmt.Fprintf(w, "  %s\t%s\n", line, does)
	}
}

// names are all flags, with the short names of one before its long one.
func names(flags *flag.FlagSet) [][]*flag.Flag {
	var all [][]*flag.Flag
	flags.VisitAll(func(f *flag.Flag) {
		isSame := func(known []*flag.Flag) bool { return known[0].Value == f.Value }
		i := slices.IndexFunc(all, isSame)
		if i < 0 {
			all = append(all, []*flag.Flag{f})
			return
		}
		all[i] = append(all[i], f)
		slices.SortFunc(all[i], func(a, b *flag.Flag) int { return len(a.Name) - len(b.Name) })
	})
	slices.SortFunc(all, func(a, b []*flag.Flag) int {
		return strings.Compare(a[len(a)-1].Name, b[len(b)-1].Name)
	})
	return all
}
