//go:build linux

package box

import (
	"strconv"
	"strings"
)

// options are the parsed options of a call: the name without dashes to its values;
// a switch has the value "".
type options map[string][]string

// has reports whether one of the options was given.
func (o options) has(names ...string) bool {
	for _, name := range names {
		if _, ok := o[name]; ok {
			return true
		}
	}
	return false
}

// get returns the last value of the option, or def when it was not given.
func (o options) get(name, def string) string {
	if values := o[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return def
}

// number returns the option's value as a number not below 0, or def.
func (o options) number(name string, def int) (int, error) {
	text := o.get(name, strconv.Itoa(def))
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, misused("option -%s: %q is not a number", name, text)
	}
	return n, nil
}

// parse takes the options out of c.args by a specification in the manner of
// getopt(3): in "ln:" -l is a switch and -n has a value; long holds words such as
// "all" or "max:". Options may follow operands, unless spec starts with "+", as for
// env(1), where all after the first operand belongs to another command.
func (c *call) parse(spec string, long ...string) (options, error) {
	spec, stop := strings.CutPrefix(spec, "+")
	p := parser{spec: spec, long: long, opts: options{}, todo: c.args}
	for len(p.todo) > 0 {
		arg := p.todo[0]
		p.todo = p.todo[1:]
		switch {
		case arg == "--":
			p.operands = append(p.operands, p.todo...)
			p.todo = nil
		case strings.HasPrefix(arg, "--"):
			p.word(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			p.letters(arg[1:])
		default:
			p.operands = append(p.operands, arg)
			if stop {
				p.operands = append(p.operands, p.todo...)
				p.todo = nil
			}
		}
		if p.err != nil {
			return nil, p.err
		}
	}
	c.args = p.operands
	return p.opts, nil
}

// parser is the state of one parse.
type parser struct {
	spec     string
	long     []string
	opts     options
	todo     []string
	operands []string
	err      error
}

// word parses one long option, without its dashes: all, max=5 or max 5.
func (p *parser) word(arg string) {
	name, value, given := strings.Cut(arg, "=")
	for _, l := range p.long {
		want, takes := strings.CutSuffix(l, ":")
		if want != name {
			continue
		}
		if takes && !given {
			value = p.next("--" + name)
		}
		if given && !takes {
			p.err = misused("option --%s takes no value", name)
		}
		p.opts[name] = append(p.opts[name], value)
		return
	}
	p.err = misused("unknown option --%s", name)
}

// letters parses a cluster of short options, such as la or n5.
func (p *parser) letters(cluster string) {
	for i := range len(cluster) {
		letter := cluster[i : i+1]
		at := strings.Index(p.spec, letter)
		if at < 0 || letter == ":" {
			p.err = misused("unknown option -%s", letter)
			return
		}
		if !strings.HasPrefix(p.spec[at+1:], ":") {
			p.opts[letter] = append(p.opts[letter], "")
			continue
		}
		value := cluster[i+1:]
		if value == "" {
			value = p.next("-" + letter)
		}
		p.opts[letter] = append(p.opts[letter], value)
		return
	}
}

// next takes the value of an option from the following argument.
func (p *parser) next(option string) string {
	if len(p.todo) == 0 {
		p.err = misused("option %s needs a value", option)
		return ""
	}
	value := p.todo[0]
	p.todo = p.todo[1:]
	return value
}

// wants reports wrong usage unless there are between low and high operands; high
// below 0 means no upper bound.
func (c *call) wants(low, high int) error {
	switch {
	case len(c.args) < low:
		return misused("missing operand")
	case high >= 0 && len(c.args) > high:
		return misused("extra operand %q", c.args[high])
	}
	return nil
}
