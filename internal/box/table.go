//go:build linux

package box

import "maps"

// table returns all applets by name, each with its usage line.
func table() map[string]applet {
	all := map[string]applet{}
	maps.Copy(all, shellGroup())
	maps.Copy(all, fileGroup())
	maps.Copy(all, textGroup())
	maps.Copy(all, systemGroup())
	return all
}

// shellGroup is the shell and what it has built in, as files for execve(2).
func shellGroup() map[string]applet {
	return map[string]applet{
		"sh":     {sh, "[-eux] [-c COMMAND [NAME [ARG…]] | SCRIPT [ARG…]]"},
		"echo":   {shellBuiltin, "[-neE] [WORD…]"},
		"printf": {shellBuiltin, "FORMAT [ARG…]"},
		"pwd":    {shellBuiltin, ""},
		"test":   {shellBuiltin, "EXPRESSION"},
		"[":      {shellBuiltin, "EXPRESSION ]"},
		"true":   {truth, ""},
		"false":  {untruth, ""},
	}
}

// fileGroup works on files.
func fileGroup() map[string]applet {
	return map[string]applet{
		"chmod":    {chmod, "[-R] MODE FILE…"},
		"chown":    {chown, "[-R] [USER][:GROUP] FILE…"},
		"cp":       {cp, "[-raf] SOURCE… DEST"},
		"dd":       {dd, "[if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [seek=N]"},
		"df":       {df, "[-ha] [FILE…]"},
		"du":       {du, "[-sh] [FILE…]"},
		"find":     {find, "[DIR…] [-name PATTERN] [-type T] [-xdev] [-mindepth N] [-maxdepth N]"},
		"ln":       {ln, "[-sf] TARGET… NAME"},
		"ls":       {ls, "[-laAid1nhR] [FILE…]"},
		"mkdir":    {mkdir, "[-p] [-m MODE] DIR…"},
		"mkfifo":   {mkfifo, "NAME…"},
		"mknod":    {mknod, "[-m MODE] NAME c|b MAJOR MINOR | NAME p"},
		"mv":       {mv, "[-f] SOURCE… DEST"},
		"readlink": {readlink, "[-fn] FILE…"},
		"realpath": {realpath, "FILE…"},
		"rm":       {rm, "[-rf] FILE…"},
		"rmdir":    {rmdir, "DIR…"},
		"stat":     {stat, "[-L] [-c FORMAT] FILE…"},
		"sync":     {syncAll, ""},
		"touch":    {touch, "[-c] FILE…"},
	}
}

// textGroup works on text.
func textGroup() map[string]applet {
	return map[string]applet{
		"basename":  {basename, "PATH [SUFFIX]"},
		"cat":       {cat, "[FILE…]"},
		"cut":       {cut, "-f LIST [-d C] [-s] | -c LIST [FILE…]"},
		"dirname":   {dirname, "PATH…"},
		"grep":      {grep, "[-qivcEFnrhHolw] PATTERN [FILE…]"},
		"head":      {head, "[-n N | -c N] [FILE…]"},
		"seq":       {seq, "[FIRST [STEP]] LAST"},
		"sha256sum": {sha256sum, "[FILE…]"},
		"sort":      {sortLines, "[-nru] [-k N] [-t C] [FILE…]"},
		"tail":      {tail, "[-n N | -c N] [FILE…]"},
		"tee":       {tee, "[-a] [FILE…]"},
		"tr":        {tr, "[-ds] SET [SET]"},
		"uniq":      {uniq, "[-cdu] [FILE]"},
		"wc":        {wc, "[-lwcm] [FILE…]"},
		"yes":       {yes, "[WORD…]"},
	}
}

// systemGroup works on processes, the kernel and the network; probe is the checks' agent.
func systemGroup() map[string]applet {
	return map[string]applet{
		"chroot":   {chroot, "DIR [COMMAND [ARG…]]"},
		"clear":    {clearScreen, ""},
		"date":     {date, "[-u] [+FORMAT]"},
		"env":      {env, "[-i] [-u NAME] [NAME=VALUE…] [COMMAND [ARG…]]"},
		"free":     {free, "[-kmh]"},
		"hog":      {hog, "SIZE [--step SIZE] [--every TIME] [--hold] [-v]"},
		"hostname": {hostname, "[NAME]"},
		"id":       {id, "[-ugGn]"},
		"kill":     {kill, "[-SIGNAL] PID… | [-SIGNAL] --all | [-SIGNAL] --group | -l"},
		"mount": {mountApplet, "[-t TYPE] [-o OPTIONS] [-r] [--bind|--rbind|--move|--make-…] " +
			"[SOURCE] DIR"},
		"nproc":    {nproc, ""},
		"printenv": {printenv, "[NAME…]"},
		"ps":       {ps, "[-ef]"},
		"pstree":   {pstree, "[-p]"},
		"sleep":    {sleep, "SECONDS"},
		"tty":      {tty, ""},
		"umount":   {umount, "[-lf] DIR…"},
		"uname":    {uname, "[-asnrvmo]"},
		"which":    {which, "NAME…"},
		"whoami":   {whoami, ""},
		"ip":       {ip, "addr|link|route [show|set|add|del …]"},
		"ping":     {ping, "[-c N] [-W SECONDS] [-i SECONDS] HOST"},
		"probe": {probe, "hold|argv|exit|signal|pid|env|trap|orphans|zombie|forkbomb|spin|" +
			"fds|escape-chroot|caps …"},
	}
}
