package network

import (
	"errors"

	"lab/final/internal/hint"
)

// Why a network is refused.
var (
	ErrNotFound = hint.New("there is no such network",
		"mini network ls lists all; mini network create makes one")
	ErrExists = errors.New("there is one of that name")
	ErrInUse  = hint.New("in use",
		"mini network disconnect or mini rm -f frees it")
	ErrReserved  = errors.New("the name is kept for one that is always there")
	ErrName      = errors.New("a name is letters, digits and _.-, with none of these three first")
	ErrExhausted = hint.New("no address is free",
		"mini network create makes a network with more addresses")
	ErrTaken = hint.New("taken",
		"mini ps and mini network inspect show who has what; take another")
	ErrAttached = errors.New("the container is on it")
	ErrDetached = errors.New("the container is not on it")
	ErrGone     = errors.New("the container's process is gone")
	ErrRootless = hint.New("a bridge takes root",
		"run as root, or use --network none or host")
	ErrNoNftables = errors.New("this kernel has no nftables")
)
