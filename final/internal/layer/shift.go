package layer

// A container with users of its own has 65536 ids, which stand for as many others of the
// host. Nobody is the last but one of them, whom all stand for that have no number in it.
const (
	manyIDs = 1 << 16
	nobody  = manyIDs - 2
)

// Shift is whom user 0 of a tar stands for here, where files are seen as the host sees those
// of a container with users of its own. 0 is who has the same numbers here and there.
type Shift int

// here is who owns a file here that the tar says is id's.
func (s Shift) here(id int) int {
	if s != 0 && (id < 0 || id >= manyIDs) {
		id = nobody
	}
	return id + int(s)
}

// inTar is whom the tar says owns a file that is id's here.
func (s Shift) inTar(id int) int {
	if s != 0 && (id < int(s) || id >= int(s)+manyIDs) {
		return nobody
	}
	return id - int(s)
}
