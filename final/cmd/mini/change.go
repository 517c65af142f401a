package main

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/shell"

	"lab/final/internal/engine"
	"lab/final/internal/image"
)

// changes are instructions of a Dockerfile that change an image's configuration, as
// --change has them: CMD ["sh"], ENV A=1 B=2, WORKDIR /srv.
type changes []string

// apply changes a configuration.
func (all changes) apply(config *image.Config) error {
	for _, text := range all {
		word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return fmt.Errorf("%w: --change %q: expected INSTRUCTION WORDS", errUsage, text)
		}
		if err := change(&config.Config, strings.ToUpper(word), rest); err != nil {
			return fmt.Errorf("%w: --change %q: %w", errUsage, text, err)
		}
	}
	return nil
}

// change carries out one instruction.
func change(p *image.Process, instruction, rest string) (err error) {
	switch instruction {
	case "CMD":
		p.Cmd = commandLine(p, rest)
	case "ENTRYPOINT":
		p.Entrypoint = commandLine(p, rest)
	case "ONBUILD":
		p.OnBuild = append(p.OnBuild, rest)
	case "ENV", "LABEL", "EXPOSE", "VOLUME", "USER", "WORKDIR", "STOPSIGNAL":
		words := list(rest)
		if words == nil {
			if words, err = fields(p, rest); err != nil {
				return err
			}
		}
		return changeWords(p, instruction, words)
	default:
		return fmt.Errorf("%s does not change the configuration", instruction)
	}
	return nil
}

// changeWords carries out an instruction in which variables are replaced.
func changeWords(p *image.Process, instruction string, words []string) error {
	for _, word := range words {
		key, value, pair := strings.Cut(word, "=")
		switch {
		case (instruction == "ENV" || instruction == "LABEL") && !pair:
			return fmt.Errorf("%q is not NAME=VALUE", word)
		case instruction == "ENV":
			p.Env = slices.DeleteFunc(slices.Clone(p.Env), func(v string) bool {
				return strings.HasPrefix(v, key+"=")
			})
			p.Env = append(p.Env, word)
		case instruction == "LABEL":
			put(&p.Labels, key, value)
		case instruction == "EXPOSE":
			number, proto, given := strings.Cut(word, "/")
			if !given {
				proto = "tcp"
			}
			port, err := strconv.ParseUint(number, 10, 16)
			if err != nil || port == 0 || proto != "tcp" && proto != "udp" && proto != "sctp" {
				return fmt.Errorf("%q is not PORT[/tcp|udp|sctp]", word)
			}
			put(&p.ExposedPorts, number+"/"+proto, struct{}{})
		case instruction == "VOLUME":
			put(&p.Volumes, word, struct{}{})
		case len(words) > 1:
			return fmt.Errorf("%s takes one word", instruction)
		case instruction == "USER":
			p.User = word
		case instruction == "WORKDIR" && path.IsAbs(word):
			p.WorkingDir = path.Clean(word)
		case instruction == "WORKDIR":
			p.WorkingDir = path.Join("/", p.WorkingDir, word)
		case instruction == "STOPSIGNAL":
			if _, err := engine.ParseSignal(word); err != nil {
				return err
			}
			p.StopSignal = word
		}
	}
	return nil
}

// put puts a value into a map that may not be there yet.
func put[V any](to *map[string]V, key string, value V) {
	if *to == nil {
		*to = map[string]V{}
	}
	(*to)[key] = value
}

// list reads the form of a list: ["sh", "-c"].
func list(text string) (words []string) {
	if json.Unmarshal([]byte(text), &words) != nil {
		return nil
	}
	return words
}

// commandLine is a command as a list, or else one for the image's shell.
func commandLine(p *image.Process, text string) []string {
	if words := list(text); words != nil {
		return words
	}
	sh := p.Shell
	if len(sh) == 0 {
		sh = []string{"/bin/sh", "-c"}
	}
	return append(slices.Clone(sh), text)
}

// fields parts words as a shell does, with the image's variables.
func fields(p *image.Process, text string) ([]string, error) {
	return shell.Fields(text, func(name string) string {
		for _, v := range p.Env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	})
}
