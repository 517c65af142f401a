package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
)

// errCut means that a message ends in the middle of a value.
var errCut = errors.New("the message is cut off")

// Append appends a value to a message: numbers, strings, and what is made of them. The
// fields of a structure follow each other without their names, since both ends are the
// same program; JSON would take a tenth of a start to find out about all the types.
//
//	Umask{Mask: 18}   18
//	Word{"created"}   7 c r e a t e d 0
//	[]string{"a"}     2 1 a      (one more than there are: 0 is nil)
func Append(to []byte, value any) ([]byte, error) {
	return put(to, reflect.ValueOf(value))
}

// put appends one value.
func put(to []byte, v reflect.Value) (_ []byte, err error) {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(to, 1), nil
		}
		return append(to, 0), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(to, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr:
		return binary.AppendUvarint(to, v.Uint()), nil
	case reflect.String:
		return append(binary.AppendUvarint(to, uint64(v.Len())), v.String()...), nil
	case reflect.Struct:
		for i := 0; i < v.NumField() && err == nil; i++ {
			to, err = put(to, v.Field(i))
		}
		return to, err
	case reflect.Pointer:
		if v.IsNil() {
			return append(to, 0), nil
		}
		return put(append(to, 1), v.Elem())
	case reflect.Slice, reflect.Map:
		return putMany(to, v)
	default:
		return nil, fmt.Errorf("a message cannot hold a %s", v.Type())
	}
}

// putMany appends a slice or a map: how many there are and one more, and then each.
func putMany(to []byte, v reflect.Value) (_ []byte, err error) {
	if v.IsNil() {
		return append(to, 0), nil
	}
	to = binary.AppendUvarint(to, uint64(v.Len())+1)
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return append(to, v.Bytes()...), nil
	}
	if v.Kind() == reflect.Slice {
		for i := 0; i < v.Len() && err == nil; i++ {
			to, err = put(to, v.Index(i))
		}
		return to, err
	}
	for entries := v.MapRange(); entries.Next() && err == nil; {
		if to, err = put(to, entries.Key()); err == nil {
			to, err = put(to, entries.Value())
		}
	}
	return to, err
}

// Reader reads the values of a message in the order in which they were appended.
type Reader struct{ rest []byte }

// NewReader reads a message.
func NewReader(message []byte) *Reader { return &Reader{message} }

// Empty reports whether nothing is left.
func (r *Reader) Empty() bool { return len(r.rest) == 0 }

// Read reads a value of the type that was appended. Whoever has sent it is not trusted:
// what makes no sense is an error, and takes no memory.
func (r *Reader) Read(pointer any) error { return r.get(reflect.ValueOf(pointer).Elem()) }

// get reads one value.
func (r *Reader) get(v reflect.Value) error {
	if !v.CanSet() {
		return errors.New("a message cannot hold a field that is not exported")
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			if err := r.get(field); err != nil {
				return err
			}
		}
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, size := binary.Varint(r.rest)
		if size <= 0 || v.OverflowInt(n) {
			return errCut
		}
		r.rest = r.rest[size:]
		v.SetInt(n)
		return nil
	default:
		n, size := binary.Uvarint(r.rest)
		if size <= 0 {
			return errCut
		}
		r.rest = r.rest[size:]
		return r.getCounted(v, n)
	}
}

// getCounted reads a value that begins with a number: it is one, or has so many parts.
func (r *Reader) getCounted(v reflect.Value, n uint64) error {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(n != 0)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr:
		if v.OverflowUint(n) {
			return errCut
		}
		v.SetUint(n)
	case reflect.String:
		text, err := r.take(n)
		v.SetString(string(text))
		return err
	case reflect.Pointer:
		if n == 0 {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return r.get(v.Elem())
	case reflect.Slice, reflect.Map:
		if n == 0 {
			return nil
		}
		return r.getMany(v, n-1)
	default:
		return fmt.Errorf("a message cannot hold a %s", v.Type())
	}
	return nil
}

// take takes bytes off the message.
func (r *Reader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.rest)) {
		return nil, errCut
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text, nil
}

// getMany reads a slice or a map. Each part takes a byte at least.
func (r *Reader) getMany(v reflect.Value, n uint64) error {
	if n > uint64(len(r.rest)) {
		return errCut
	}
	of := v.Type().Elem()
	if v.Kind() == reflect.Map {
		v.Set(reflect.MakeMap(v.Type()))
		for range n {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(of).Elem()
			if err := errors.Join(r.get(key), r.get(value)); err != nil {
				return err
			}
			v.SetMapIndex(key, value)
		}
		return nil
	}
	v.Set(reflect.MakeSlice(v.Type(), int(n), int(n)))
	if of.Kind() == reflect.Uint8 {
		text, err := r.take(n)
		reflect.Copy(v, reflect.ValueOf(text))
		return err
	}
	for i := range v.Len() {
		if err := r.get(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}
