package conf

import (
	"net/netip"
	"reflect"
	"time"
)

// fieldChange gives one field of the settings another value.
type fieldChange struct {
	path  string
	apply func(*Settings)
}

// fieldChanges returns a change for each field at any depth, for settings with a server, found by reflection so that none is forgotten.
func fieldChanges() []fieldChange {
	var changes []fieldChange
	var walk func(path string, t reflect.Type, at func(*Settings) reflect.Value)
	walk = func(path string, t reflect.Type, at func(*Settings) reflect.Value) {
		switch {
		case path == "Services":
			walk("Service", t.Elem().Elem(), func(s *Settings) reflect.Value { return at(s).Index(0).Elem() })
		case path == "ACL":
			changes = append(changes, fieldChange{path, func(s *Settings) {
				s.ACL[ACLs-1] = ACL{{Addr: netip.MustParseAddr("::1"), Bits: 128}}
			}})
		case path == "Service.Servers":
			walk("Server", t.Elem(), func(s *Settings) reflect.Value { return at(s).Index(0) })
		case path == "Service.Routes":
			walk("Route", t.Elem(), func(s *Settings) reflect.Value { return at(s).Index(0) })
		case path == "Service.Name": // the first service's name is fixed
		case t.Kind() == reflect.Struct:
			for i := range t.NumField() {
				name := t.Field(i).Name
				if path != "" {
					name = path + "." + name
				}
				walk(name, t.Field(i).Type, func(s *Settings) reflect.Value { return at(s).Field(i) })
			}
		default:
			changes = append(changes, fieldChange{path, func(s *Settings) { other(at(s)) }})
		}
	}
	walk("", reflect.TypeFor[Settings](), func(s *Settings) reflect.Value { return reflect.ValueOf(s).Elem() })
	return changes
}

// other gives v another value.
func other(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(v.Int() + int64(time.Second))
	case v.Type() == reflect.TypeFor[[]string]():
		v.Set(reflect.ValueOf([]string{"a file", "another"}))
	case v.Kind() == reflect.Slice:
		other(v.Index(0))
	case v.Kind() == reflect.Uint8:
		v.SetUint(v.Uint() + 1)
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.Kind() == reflect.Int:
		v.SetInt(v.Int() + 1)
	case v.Kind() == reflect.String:
		v.SetString("epoll") // also the name of a poller
	default:
		panic("no other value of " + v.Type().String())
	}
}
