package main

import (
	"path/filepath"
	"slices"

	"pen/cmd/daemon"
	"pen/conf"
)

// systemFiles is what any program reads: libraries, programs for probes, how names are looked up, time zones, CAs. The
// process looks at itself in /proc.
var systemFiles = []string{"/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/proc", "/dev", "/var/run/nscd"}

// sandbox returns what pen may reach by the settings that it starts with: it reads what any program reads and the
// directories of its files, and writes in those of what it writes, of its Unix sockets and of its configuration file. A later
// change of the settings that leads elsewhere fails as if the permission were missing.
func sandbox(s *conf.Settings) daemon.Sandbox {
	var box daemon.Sandbox
	read := func(directories bool, names ...string) { box.Read = append(box.Read, places(directories, names)...) }
	write := func(names ...string) { box.Write = append(box.Write, places(false, names)...) }
	read(true, systemFiles...)
	read(false, "/etc/resolv.conf", s.GeoIP, s.Control.StatusAdmin)
	write(s.Process.ConfigFile, s.Process.PidFile, s.WebStats, socketPath(s.Control.Listen), socketPath(s.Control.Metrics))
	for _, v := range s.Services {
		write(socketPath(v.Listen))
		if _, _, net := conf.LogAddress(v.Log); !net {
			write(v.Log)
		}
		if to := v.AccessLog.To; to != "syslog" && to != "stdout" {
			write(to)
		}
		read(true, v.TLS.SNIPath, v.TLS.Client.CADir)
		read(false, v.TLS.Client.CAFile, v.TLS.Client.CRL, v.TLS.OCSP.Response)
		read(false, slices.Concat(v.TLS.Certs, v.TLS.Keys, v.TLS.Tickets.Keys)...)
		for _, server := range v.Servers {
			read(false, server.TLS.Verify)
		}
	}
	return box
}

// socketPath returns an address that is the path of a Unix socket, "" for others.
func socketPath(address string) string {
	if conf.IsPath(address) {
		return address
	}
	return ""
}

// places returns directories, or those of files, without links on the way; "" is none.
func places(directories bool, names []string) []string {
	var list []string
	for _, name := range names {
		if name == "" {
			continue
		}
		if real, err := filepath.EvalSymlinks(name); err == nil {
			list = append(list, place(directories, real)) // where a link leads to
		}
		list = append(list, place(directories, name))
	}
	return list
}

func place(directory bool, name string) string {
	if directory {
		return name
	}
	return filepath.Dir(name)
}
