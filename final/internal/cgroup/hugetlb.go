package cgroup

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// hugetlbV1 limits huge pages of each size, as they are reserved (where the kernel
// can: since 5.7) and as they are used (config-linux.md, "Huge page limits").
//
//	echo 209715200 > hugetlb.2MB.rsvd.limit_in_bytes
//	echo 209715200 > hugetlb.2MB.limit_in_bytes
func hugetlbV1(r *specs.LinuxResources) ([]Write, error) {
	return hugetlb(r, "limit_in_bytes")
}

// hugetlbV2 does the same on version 2.
//
//	echo 209715200 > hugetlb.2MB.rsvd.max
//	echo 209715200 > hugetlb.2MB.max
func hugetlbV2(r *specs.LinuxResources) ([]Write, error) { return hugetlb(r, "max") }

// hugetlb writes both files. The name of a size becomes part of a file's name.
func hugetlb(r *specs.LinuxResources, file string) ([]Write, error) {
	var ws []Write
	for _, l := range r.HugepageLimits {
		number := strings.TrimRight(l.Pagesize, "KMGB")
		unit := l.Pagesize[len(number):]
		// 2MB
		isSize := number != "" && strings.Trim(number, "0123456789") == "" &&
			(unit == "KB" || unit == "MB" || unit == "GB")
		if !isSize {
			return nil, fmt.Errorf("linux.resources.hugepageLimits: pageSize %q: "+
				"not a size such as 64KB, 2MB or 1GB", l.Pagesize)
		}
		w := Write{
			Controller: "hugetlb", File: "hugetlb." + l.Pagesize + "." + file,
			Value: fmt.Sprint(l.Limit),
			From:  setting("hugepageLimits "+l.Pagesize, l.Limit),
		}
		reserved := w
		reserved.File, reserved.Optional = "hugetlb."+l.Pagesize+".rsvd."+file, true
		ws = append(ws, reserved, w)
	}
	return ws, nil
}
