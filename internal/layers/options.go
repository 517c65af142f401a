//go:build linux

package layers

import (
	"strconv"
	"strings"
)

// options are those of an overlay mount, as far as layers go.
type options struct {
	lower, data []string // the topmost first
	upper, work string
	userxattr   bool
}

// parse reads the options as mountinfo shows them. A comma that is part of a name
// is written \054 there, as in octal; a colon in one is written \: by who mounted
// it, and that backslash is written in octal as well:
//
//	rw,lowerdir=/a\134:b:/c::/data,upperdir=/u\054v,workdir=/w,userxattr
//
// Layers that were added one by one look like this:
//
//	rw,lowerdir+=/a,lowerdir+=/b,datadir+=/d
func parse(text string) options {
	var o options
	for option := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(option, "=")
		value = unescape(value)
		switch name {
		case "lowerdir":
			lower, data, _ := strings.Cut(protect(value), "::")
			o.lower = split(lower)
			o.data = split(strings.ReplaceAll(data, "::", ":"))
		case "lowerdir+":
			o.lower = append(o.lower, value)
		case "datadir+":
			o.data = append(o.data, value)
		case "upperdir":
			o.upper = value
		case "workdir":
			o.work = value
		case "userxattr":
			o.userxattr = true
		}
	}
	return o
}

// protect hides the colons that are part of a name.
func protect(value string) string { return strings.ReplaceAll(value, `\:`, "\x00") }

// split splits a list of names at its colons.
func split(list string) []string {
	if list == "" {
		return nil
	}
	names := strings.Split(list, ":")
	for i := range names {
		names[i] = strings.ReplaceAll(names[i], "\x00", ":")
	}
	return names
}

// unescape replaces each backslash with three octal digits by its character.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// layers returns the stack that the options name, nothing found yet.
func (o options) layers() []Layer {
	var list []Layer
	if o.upper != "" {
		list = append(list, Layer{Name: "U", Upper: true, Option: o.upper})
	}
	for i, name := range append(append([]string(nil), o.lower...), o.data...) {
		list = append(list, Layer{
			Name: strconv.Itoa(i + 1), Option: name, Data: i >= len(o.lower),
		})
	}
	return list
}
