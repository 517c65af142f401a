//go:build linux

package cgroup

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

func TestParseScope(t *testing.T) {
	for _, tt := range []struct{ path, unit, dir string }{
		{"", "minirun-web.scope", "/system.slice/minirun-web.scope"},
		{"user.slice:libpod:12", "libpod-12.scope", "/user.slice/libpod-12.scope"},
		{":docker:12", "docker-12.scope", "/system.slice/docker-12.scope"},
		{"a-b.slice::x", "x.scope", "/a.slice/a-b.slice/x.scope"},
		{"-.slice:p:x", "p-x.scope", "/p-x.scope"},
		{"a.slice:p:", "p-web.scope", "/a.slice/p-web.scope"},
	} {
		s, err := ParseScope(tt.path, "web", false)
		require.NoError(t, err)
		assert.Equal(t, tt.unit, s.Unit, tt.path)
		assert.Equal(t, tt.dir, s.Path(), tt.path)
	}
	for path, want := range map[string]string{
		"/a/b": "with systemd it is slice:prefix:name", "a:b:c": `"a" is not the name of a slice`,
		"a.slice:/:x": "is not the name",
	} {
		_, err := ParseScope(path, "web", false)
		require.ErrorContains(t, err, want)
	}
	s, err := ParseScope("", "web", true)
	require.NoError(t, err)
	assert.Equal(t, "user.slice", s.Slice)
}

// What systemd is told of the limits says the same as what is written.
func TestLimitProperties(t *testing.T) {
	r := resources(t, `{"memory":{"limit":1048576,"swap":2097152,"reservation":-1},
		"cpu":{"shares":1024,"quota":25000,"period":50000},"pids":{"limit":-1},
		"unified":{"memory.max":"7","memory.high":"x"}}`)
	l, err := Compile(r, hosts(t)["v2"])
	require.NoError(t, err)
	assert.ElementsMatch(t, []property{
		{"MemorySwapMax", uint64(1048576)},
		{"MemoryLow", uint64(noLimit)},
		{"CPUWeight", uint64(100)},
		{"CPUQuotaPerSecUSec", uint64(500000)},
		{"CPUQuotaPeriodUSec", uint64(50000)},
		{"TasksMax", uint64(noLimit)},
		{"MemoryMax", uint64(7)},
	}, limitProperties(l.Writes))
	r.Unified = nil
	l, err = Compile(r, hosts(t)["v1"])
	require.NoError(t, err)
	assert.ElementsMatch(t, []property{
		{"MemoryLimit", uint64(1048576)},
		{"CPUShares", uint64(1024)},
		{"CPUQuotaPerSecUSec", uint64(500000)},
		{"CPUQuotaPeriodUSec", uint64(50000)},
		{"TasksMax", uint64(noLimit)},
	}, limitProperties(l.Writes))
	assert.Equal(t, uint64(340000), perSecond(1001, 3000), "in steps of 10 ms")
}

// manager plays systemd on a socket: it lets somebody in, reads one call and answers.
func manager(t *testing.T, answer func(b *bus, call message)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "private")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		file, err := conn.(*net.UnixConn).File()
		if !assert.NoError(t, err) {
			return
		}
		b := &bus{conn: file}
		defer file.Close()
		for _, line := range []struct{ want, say string }{
			{"\x00AUTH EXTERNAL\r\n", "DATA\r\n"}, {"DATA\r\n", "OK 12\r\n"}, {"BEGIN\r\n", ""},
		} {
			got := make([]byte, len(line.want))
			_, err := io.ReadFull(file, got)
			assert.NoError(t, err)
			assert.Equal(t, line.want, string(got))
			_, err = file.WriteString(line.say)
			assert.NoError(t, err)
		}
		call, err := b.receive()
		if assert.NoError(t, err) {
			answer(b, call)
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		<-done
	})
	return path
}

// send writes a message as systemd would.
func (b *bus) send(t *testing.T, kind byte, member string, texts ...string) {
	t.Helper()
	body := &wire{}
	if member != "" {
		body.uint32(7)
	}
	for _, text := range texts {
		body.string(text)
	}
	m := &wire{}
	m.bytes('l', kind, 0, 1)
	m.uint32(uint32(len(body.data)))
	m.uint32(1)
	m.array(8, func() {
		m.bytes(fieldReplySerial)
		m.signature("u")
		m.uint32(1)
		if member != "" {
			m.align(8)
			m.bytes(fieldMember)
			m.signature("s")
			m.string(member)
		}
	})
	m.align(8)
	_, err := b.conn.Write(append(m.data, body.data...))
	assert.NoError(t, err)
}

func TestStartUnit(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		answer     func(b *bus)
	}{
		{"done", "", func(b *bus) {
			b.send(t, signalMessage, "JobRemoved", "/job/8", "other.scope", "failed")
			b.send(t, methodReturn, "", "/job/9")
			b.send(t, signalMessage, "JobRemoved", "/job/9", "web.scope", "done")
		}},
		{"done before it is said which", "", func(b *bus) {
			b.send(t, signalMessage, "JobRemoved", "/job/9", "web.scope", "done")
			b.send(t, methodReturn, "", "/job/9")
		}},
		{"refused", "systemd says: Unit web.scope exists.", func(b *bus) {
			b.send(t, methodError, "", "Unit web.scope exists.")
		}},
		{"failed", "systemd says: the job is failed", func(b *bus) {
			b.send(t, methodReturn, "", "/job/9")
			b.send(t, signalMessage, "JobRemoved", "/job/9", "web.scope", "failed")
		}},
		{"gone", "wait for systemd: EOF", func(*bus) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := manager(t, func(b *bus, call message) {
				assert.Equal(t, "StartTransientUnit", call.member)
				assert.Equal(t, "web.scope", call.body.readString())
				assert.Equal(t, "replace", call.body.readString())
				if call.body.err != nil {
					t.Error(call.body.err)
				}
				tt.answer(b)
			})
			b, err := dial(path)
			require.NoError(t, err)
			defer b.conn.Close()
			s := Scope{Slice: "system.slice", Unit: "web.scope"}
			err = b.startUnit(s.Unit, scopeProperties(s, 4711, Limits{}))
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.want)
			}
		})
	}
}

// An update is told to systemd, and the unit is stopped; that it is gone already is fine.
func TestScopeOfRunning(t *testing.T) {
	writes := []Write{{File: "pids.max", Value: "7"}}
	limit := func(s Scope) error { return s.limit(writes) }
	for _, tt := range []struct {
		name, member, answer, want string
		ask                        func(Scope) error
	}{
		{"limits", "SetUnitProperties", "", "", limit},
		{
			"limits are refused", "SetUnitProperties", "No.",
			"set the limits of web.scope: systemd says: No.", limit,
		},
		{"gone", "StopUnit", "Unit web.scope not loaded.", "", Scope.stop},
		{
			"it stays", "StopUnit", "Access denied",
			"stop web.scope: systemd says: Access denied", Scope.stop,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := manager(t, func(b *bus, call message) {
				assert.Equal(t, tt.member, call.member)
				assert.Equal(t, "web.scope", call.body.readString())
				if tt.answer == "" {
					b.send(t, methodReturn, "")
				} else {
					b.send(t, methodError, "", tt.answer)
				}
			})
			err := tt.ask(Scope{Unit: "web.scope", Socket: path})
			if tt.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.want)
			}
		})
	}
	require.NoError(t, Scope{Unit: "web.scope"}.limit(nil), "nothing that systemd knows")
}

// The bytes of a message, as busctl(1) would send it.
func TestWire(t *testing.T) {
	w := &wire{}
	w.array(8, func() {
		property{"PIDs", []uint32{4711}}.write(w)
		property{"Delegate", true}.write(w)
	})
	assert.Equal(t, "\x2c\x00\x00\x00"+"\x00\x00\x00\x00"+ // 44 bytes, from the next 8 on
		"\x04\x00\x00\x00PIDs\x00"+"\x02au\x00"+"\x00\x00\x00"+ // text; signature; to 4
		"\x04\x00\x00\x00"+"\x67\x12\x00\x00"+ // the array and its one number
		"\x08\x00\x00\x00Delegate\x00"+"\x01b\x00"+"\x01\x00\x00\x00", string(w.data))
	short := &wire{data: []byte{200, 0, 0, 0, 'x'}}
	assert.NotPanics(t, func() { short.readString() })
	assert.ErrorContains(t, short.err, "in the middle of a value")
}

func TestStartScopeRefuses(t *testing.T) {
	_, err := StartScope(Host{}, Scope{Slice: "a.slice", Unit: "x.scope"}, 1,
		Request{}, Limits{})
	require.EqualError(t, err, "there is no process 1")
	_, err = dial(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "connect to systemd at ")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Where systemd has put a process is the container's cgroup from then on, also in the
// hierarchies that systemd does not know.
func TestAdopt(t *testing.T) {
	need.Cgroup(t, "pids")
	need.CgroupV2(t)
	c := limited(t, pidsLimited())
	nest(t, c, "web.scope")
	sub, err := c.Sub("web.scope")
	require.NoError(t, err)
	p := born(t, sub)
	h, err := ReadHost()
	require.NoError(t, err)
	l, err := Compile(&specs.LinuxResources{Pids: pidsLimited().Pids}, h)
	require.NoError(t, err)
	r := Request{Needed: l.Needed}
	adopted, err := scopeOf(h, Scope{Slice: "a.slice", Unit: "web.scope"}, p.Process.Pid, r)
	require.NoError(t, err)
	require.NoError(t, adopted.Adopt(p.Process.Pid, l.Needed))
	assert.Equal(t, c.Path+"/web.scope", adopted.Path)
	for _, w := range l.Writes {
		require.NoError(t, adopted.Write(w))
	}
	_, err = scopeOf(h, Scope{Slice: "a.slice", Unit: "other.scope"}, p.Process.Pid, r)
	require.ErrorContains(t, err, "systemd has done it, but process")
}

// FuzzMessage: a message that is none is an error, never a panic.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("\x05\x01u\x00\x01\x00\x00\x00\x03\x01s\x00\x02\x00\x00\x00ab\x00"))
	f.Add([]byte("\x08\x01g\x00\xff"))
	f.Fuzz(func(t *testing.T, fields []byte) {
		var m message
		if m.readFields(&wire{data: fields}) == nil {
			assert.LessOrEqual(t, len(m.member), len(fields))
		}
	})
}
