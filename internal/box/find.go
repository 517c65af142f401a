//go:build linux

package box

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// search is what find looks for.
type search struct {
	name     string
	kind     string
	xdev     bool
	min, max int
	dev      uint64 // of the current starting point
}

// find prints the paths of a tree that match all tests.
func find(c *call) error {
	var roots []string
	for len(c.args) > 0 && !strings.HasPrefix(c.args[0], "-") {
		roots, c.args = append(roots, c.args[0]), c.args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	s, err := parseSearch(c.args)
	if err != nil {
		return err
	}
	for _, root := range roots {
		info, err := os.Lstat(root)
		if err != nil {
			c.warn(err)
			continue
		}
		s.dev = info.Sys().(*syscall.Stat_t).Dev
		c.find(s, root, info, 0)
	}
	return nil
}

// parseSearch parses the tests of find.
func parseSearch(args []string) (search, error) {
	s := search{max: -1}
	for len(args) > 0 {
		test := args[0]
		args = args[1:]
		switch test {
		case "-xdev", "-mount":
			s.xdev = true
			continue
		case "-print":
			continue
		}
		if len(args) == 0 {
			return s, misused("unknown option or missing value: %s", test)
		}
		if err := s.add(test, args[0]); err != nil {
			return s, err
		}
		args = args[1:]
	}
	return s, nil
}

// add adds one test that has a value.
func (s *search) add(test, value string) (err error) {
	switch test {
	case "-name":
		s.name = value
		_, err = filepath.Match(value, "")
	case "-type":
		s.kind = value
		if len(value) != 1 || !strings.Contains("fdlcbps", value) {
			err = misused("option -type: %q is none of f d l c b p s", value)
		}
	case "-mindepth":
		s.min, err = strconv.Atoi(value)
	case "-maxdepth":
		s.max, err = strconv.Atoi(value)
	default:
		err = misused("unknown option %s", test)
	}
	return err
}

// find prints path when it matches and descends into it.
func (c *call) find(s search, path string, info fs.FileInfo, depth int) {
	st := info.Sys().(*syscall.Stat_t)
	if depth >= s.min && s.matches(path, st) {
		c.printf("%s\n", path)
	}
	if !info.IsDir() || depth == s.max || s.xdev && st.Dev != s.dev {
		return
	}
	entries, err := os.ReadDir(path)
	c.warn(err)
	for _, e := range entries {
		below, err := e.Info()
		if err != nil {
			c.warn(err)
			continue
		}
		c.find(s, strings.TrimSuffix(path, "/")+"/"+e.Name(), below, depth+1)
	}
}

// matches applies -name and -type.
func (s search) matches(path string, st *syscall.Stat_t) bool {
	letter := string(typeLetter(st.Mode))
	if letter == "-" {
		letter = "f"
	}
	if s.kind != "" && s.kind != letter {
		return false
	}
	ok, err := filepath.Match(s.name, filepath.Base(path))
	return s.name == "" || ok && err == nil
}

// du prints the disk space below the operands in KiB; a file with several links
// counts once.
func du(c *call) error {
	o, err := c.parse("shk")
	if err != nil {
		return err
	}
	if len(c.args) == 0 {
		c.args = []string{"."}
	}
	seen := map[[2]uint64]bool{}
	for _, root := range c.args {
		c.du(o, root, 0, seen)
	}
	return nil
}

// du returns the blocks of 512 bytes below path and prints the directories.
func (c *call) du(o options, path string, depth int, seen map[[2]uint64]bool) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		c.warn(err)
		return 0
	}
	st := info.Sys().(*syscall.Stat_t)
	key := [2]uint64{st.Dev, st.Ino}
	if seen[key] && depth > 0 {
		return 0
	}
	seen[key] = true
	blocks := st.Blocks
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		c.warn(err)
		for _, e := range entries {
			blocks += c.du(o, filepath.Join(path, e.Name()), depth+1, seen)
		}
	}
	if depth > 0 && (!info.IsDir() || o.has("s")) {
		return blocks
	}
	size := strconv.FormatInt((blocks+1)/2, 10)
	if o.has("h") {
		size = human(uint64(blocks) * 512)
	}
	c.printf("%s\t%s\n", size, path)
	return blocks
}
