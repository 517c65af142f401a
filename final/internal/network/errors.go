package network

import "errors"

// Why a network is refused.
var (
	ErrNotFound   = errors.New("there is no such network")
	ErrExists     = errors.New("there is one of that name")
	ErrInUse      = errors.New("in use")
	ErrReserved   = errors.New("the name is kept for one that is always there")
	ErrName       = errors.New("a name is letters, digits and _.-, with none of these three first")
	ErrExhausted  = errors.New("no address is free")
	ErrTaken      = errors.New("taken")
	ErrAttached   = errors.New("the container is on it")
	ErrDetached   = errors.New("the container is not on it")
	ErrGone       = errors.New("the container's process is gone")
	ErrRootless   = errors.New("a bridge takes root")
	ErrNoNftables = errors.New("this kernel has no nftables")
)

// Hint says what may help against an error of this package, or nothing.
func Hint(err error) string {
	for _, known := range []struct {
		err  error
		hint string
	}{
		{ErrRootless, "run as root, or use --network none or host"},
		{ErrTaken, "mini ps and mini network inspect show who has what; take another"},
		{ErrExhausted, "mini network create makes a network with more addresses"},
		{ErrInUse, "mini network disconnect or mini rm -f frees it"},
		{ErrNotFound, "mini network ls lists all; mini network create makes one"},
	} {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	return ""
}
