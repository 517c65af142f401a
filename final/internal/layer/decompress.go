package layer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// The first bytes of what layers are packed with. What has none of them is a plain tar.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxWindow is how much memory a zstd frame may ask for.
const maxWindow = 128 << 20

// Decompress returns a layer as a tar. It goes by the first bytes, for media types are
// often wrong, and takes r over: closing the result closes r.
func Decompress(r io.ReadCloser) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 256<<10)
	magic, err := buffered.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, r.Close())
	}
	tar, err := unpacker(buffered, magic)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &decompressed{Reader: tar, from: r}, nil
}

// unpacker chooses the reader for the first bytes.
func unpacker(r *bufio.Reader, magic []byte) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		unzip, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%w: gzip: %w", ErrFormat, err)
		}
		return unzip, nil
	case bytes.Equal(magic, zstdMagic):
		unzip, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow),
			zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("%w: zstd: %w", ErrFormat, err)
		}
		return unzip.IOReadCloser(), nil
	}
	return r, nil
}

// decompressed reads a tar, and closes what it is unpacked from.
type decompressed struct {
	io.Reader
	from io.Closer
}

// Close closes both.
func (d *decompressed) Close() error {
	var err error
	if c, ok := d.Reader.(io.Closer); ok {
		err = c.Close()
	}
	return errors.Join(err, d.from.Close())
}
