package oom

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseSize reads a number of bytes, such as 30M: K, M and G are powers of
// 1024.
func ParseSize(text string) (int64, error) {
	digits, shift := strings.TrimRight(strings.ToUpper(text), "IB"), 0
	for suffix, bits := range map[string]int{"K": 10, "M": 20, "G": 30} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, shift = rest, bits
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is no size such as 512K, 30M or 1G", text)
	}
	return n << shift, nil
}

// Bytes tells a number of bytes for people: 30 MiB, 29.4 MiB, 512 KiB.
func Bytes(n int64) string {
	const mebibyte = 1 << 20
	switch {
	case n%mebibyte == 0:
		return fmt.Sprintf("%d MiB", n/mebibyte)
	case n >= mebibyte:
		return fmt.Sprintf("%.1f MiB", float64(n)/mebibyte)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
