package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Solaris and illumos have two kinds of package. IPS publishes a tree of files by a manifest (pen.p5m); SVR4's pkgmk makes a
// package of a tree by a prototype and a pkginfo. Both need a tool that only these systems have for the last step, so the
// archive brings the tree and everything that the tools want:
//
//	pkgsend -s REPOSITORY publish -d root pen.p5m
//	pkgmk -o -r root -f svr4/prototype -d . && pkgtrans -s . pen.pkg SUNWpen

// sunFile is a file of the archive.
type sunFile struct {
	name string // in it
	mode int64
	text []byte
}

// makeSun makes the archive.
func (s *stage) makeSun(rows []row) error {
	entries, err := s.entries("sun", rows)
	if err != nil {
		return err
	}
	info, err := s.pkginfo()
	if err != nil {
		return err
	}
	files := []sunFile{
		{"pen.p5m", 0o644, s.manifest(entries)},
		{"svr4/pkginfo", 0o644, info},
		{"svr4/prototype", 0o644, s.prototype(entries)},
	}
	for name, from := range map[string]string{"svr4/postinstall": "conf/etc/packages/svr4/postinstall", "svr4/copyright": filepath.Join(s.dir, "made", "copyright")} {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		files = append(files, sunFile{name, 0o644, text})
	}
	for _, e := range entries {
		f := sunFile{"root" + e.path + "/", int64(e.mode), nil}
		if e.kind != kindDir {
			f.name = "root" + e.path
			if f.text, err = os.ReadFile(e.source); err != nil {
				return err
			}
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b sunFile) int { return strings.Compare(a.name, b.name) })
	base := fmt.Sprintf("pen-%s.%s-%s", s.version, s.system, s.arch)
	if err := s.writeArchive(base, files); err != nil {
		return err
	}
	return s.list(base+".tar.gz", entries)
}

// writeArchive writes a compressed archive, which unpacks into a folder of its own.
func (s *stage) writeArchive(base string, files []sunFile) (err error) {
	f, err := os.Create(filepath.Join(s.out, base+".tar.gz"))
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, z.Close()) }()
	w := tar.NewWriter(z)
	defer func() { err = firstOf(err, w.Close()) }()
	for _, file := range files {
		h := &tar.Header{Name: base + "/" + file.name, Mode: file.mode, Size: int64(len(file.text)), ModTime: s.time, Format: tar.FormatUSTAR, Uname: "root", Gname: "root"}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, bytes.NewReader(file.text)); err != nil {
			return err
		}
	}
	return nil
}

// firstOf returns the error that came first.
func firstOf(before, after error) error {
	if before != nil {
		return before
	}
	return after
}

// sunGroup returns the group that a path has on these systems: packages that share a directory must agree on it.
func sunGroup(p string) string {
	switch {
	case p == "/etc" || strings.HasPrefix(p, "/etc/"), strings.HasPrefix(p, "/lib/svc/manifest"), p == "/usr", p == "/usr/share":
		return "sys"
	case strings.HasPrefix(p, "/usr/share/doc"):
		return "other"
	}
	return "bin"
}

// systemDirs are there before any package: their owners are not ours to say.
var systemDirs = []string{
	"/", "/etc", "/etc/security", "/etc/security/auth_attr.d", "/etc/security/prof_attr.d", "/lib", "/lib/svc", "/lib/svc/manifest", "/lib/svc/manifest/network", "/lib/svc/method", "/usr", "/usr/bin", "/usr/share",
	"/usr/share/doc", "/usr/share/man", "/usr/share/man/man1", "/usr/share/man/man5",
}

// dirsOf returns the directories that a package brings, those that only hold others of its paths included.
func dirsOf(entries []entry) []string {
	var dirs []string
	for _, e := range entries {
		p := e.path
		if e.kind != kindDir {
			p = path.Dir(p)
		}
		for ; !slices.Contains(systemDirs, p); p = path.Dir(p) {
			dirs = append(dirs, p)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// manifest writes the IPS manifest.
func (s *stage) manifest(entries []entry) []byte {
	var b bytes.Buffer
	number, _ := s.number()
	fmt.Fprintf(&b, "set name=pkg.fmri value=pkg:/network/pen@%s,5.11-0.%s\n", number, sunBranch(s.time))
	fmt.Fprintf(&b, "set name=pkg.summary value=%q\n", summary)
	fmt.Fprintf(&b, "set name=pkg.description value=%q\n", strings.Join(strings.Fields(description), " "))
	fmt.Fprintf(&b, "set name=pkg.human-version value=%q\n", s.version)
	fmt.Fprintf(&b, "set name=info.classification value=\"org.opensolaris.category.2008:System/Enterprise Management\" value=\"org.opensolaris.category.2008:Web Services/Application and Web Servers\"\n")
	fmt.Fprintf(&b, "set name=org.opensolaris.arc-caseid value=PSARC/2008/339\n")
	fmt.Fprintf(&b, "set name=variant.arch value=i386\n")
	fmt.Fprintf(&b, "license usr/share/doc/pen/copyright license=%s\n", license)
	fmt.Fprintf(&b, "depend type=require fmri=pkg:/system/library\n")
	fmt.Fprintf(&b, "group groupname=pen\n")
	fmt.Fprintf(&b, "user username=pen group=pen ftpuser=false gcos-field=%q home-dir=/ login-shell=/usr/bin/false\n", "pen load balancer")
	for _, d := range dirsOf(entries) {
		fmt.Fprintf(&b, "dir path=%s owner=root group=%s mode=0755\n", d[1:], sunGroup(d))
	}
	for _, e := range entries {
		if e.kind == kindDir {
			continue
		}
		fmt.Fprintf(&b, "file %s path=%s owner=root group=%s mode=%04o", e.path[1:], e.path[1:], sunGroup(e.path), e.mode)
		if e.kind == kindConf {
			b.WriteString(" preserve=renamenew")
		}
		if strings.HasPrefix(e.path, manifestDir) {
			b.WriteString(" restart_fmri=svc:/system/manifest-import:default")
		}
		b.WriteString("\n")
	}
	return b.Bytes()
}

// sunBranch is the time as part of a version: numbers, which must not begin with a zero.
func sunBranch(t time.Time) string {
	return fmt.Sprintf("%d.%d", t.Year()*1e4+int(t.Month())*100+t.Day(), t.Hour()*100+t.Minute())
}

// pkginfo writes the description of the SVR4 package.
func (s *stage) pkginfo() ([]byte, error) {
	log, err := readChanges(changesPath)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "PKG=%s\nNAME=pen - %s\nARCH=i386\nVERSION=%s,REV=%s\nCATEGORY=application\nVENDOR=%s\nBASEDIR=/\nCLASSES=none preserve manifest\nISTATES=S s 1 2 3\nRSTATES=S s 1 2 3\n",
		sunPackage, summary, s.version, s.time.Format("2006.01.02.15.04.05"), log.maintainer), nil
}

// sunPackage is the name of the SVR4 package.
const sunPackage = "SUNWpen"

// manifestDir is where services are described.
const manifestDir = "/lib/svc/manifest/"

// prototype writes the list of files of the SVR4 package. The classes preserve, whose files stay as the operator has them,
// and manifest, which makes services known, come with the system.
func (s *stage) prototype(entries []entry) []byte {
	var b bytes.Buffer
	b.WriteString("i pkginfo\ni copyright\ni postinstall\n")
	for _, d := range dirsOf(entries) {
		fmt.Fprintf(&b, "d none %s 0755 root %s\n", d, sunGroup(d))
	}
	for _, e := range entries {
		class := "f none"
		switch {
		case e.kind == kindDir:
			continue
		case e.kind == kindConf:
			class = "e preserve"
		case strings.HasPrefix(e.path, manifestDir):
			class = "f manifest"
		}
		fmt.Fprintf(&b, "%s %s %04o root %s\n", class, e.path, e.mode, sunGroup(e.path))
	}
	return b.Bytes()
}
