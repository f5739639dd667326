package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The bill of materials (SBOM) says which modules are in the programs, in which version and with which hash: CycloneDX,
// which scanners for known weaknesses read. cyclonedx-gomod reads it from the programs as they are built, one bill a
// program; bill is all of them in one.

// bill is a CycloneDX document, as far as we look into it. What is only passed on stays as it is.
type bill struct {
	Schema       string          `json:"$schema"`
	Format       string          `json:"bomFormat"`
	Spec         string          `json:"specVersion"`
	Version      int             `json:"version"`
	Metadata     billMetadata    `json:"metadata"`
	Components   []billComponent `json:"components"`
	Dependencies []billDepends   `json:"dependencies"`
}

type billMetadata struct {
	Timestamp string        `json:"timestamp"`
	Tools     []billTool    `json:"tools"`
	Component billComponent `json:"component"`
}

type billTool struct {
	Vendor  string `json:"vendor"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

type billComponent struct {
	Ref        string          `json:"bom-ref"`
	Type       string          `json:"type"`
	Name       string          `json:"name"`
	Version    string          `json:"version"`
	Scope      string          `json:"scope,omitempty"`
	Hashes     json.RawMessage `json:"hashes,omitempty"`
	Licenses   []billLicense   `json:"licenses,omitempty"`
	PURL       string          `json:"purl,omitempty"`
	References json.RawMessage `json:"externalReferences,omitempty"`
}

type billLicense struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type billDepends struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// licensed returns a component's licence.
func licensed(id string) []billLicense {
	l := make([]billLicense, 1)
	l[0].License.ID = id
	return l
}

// writeBill makes the file sbom.cdx.json of the target.
func (s *stage) writeBill() error {
	ids, err := s.licenseIDs()
	if err != nil {
		return err
	}
	var whole bill
	var root billDepends
	for _, name := range programs {
		b, err := s.programBill(name)
		if err != nil {
			return err
		}
		if whole.Format == "" {
			whole.Schema, whole.Format, whole.Spec, whole.Version = b.Schema, b.Format, b.Spec, 1
			whole.Metadata.Tools = b.Metadata.Tools
		}
		program := b.Metadata.Component
		program.Licenses = licensed(license)
		root.On = append(root.On, program.Ref)
		whole.Components = append(whole.Components, program)
		whole.Components = append(whole.Components, b.Components...)
		whole.Dependencies = append(whole.Dependencies, b.Dependencies...)
	}
	for i, c := range whole.Components {
		if id, ok := ids[c.Name]; ok {
			whole.Components[i].Licenses = licensed(id)
		}
	}
	unique(&whole.Components, func(c billComponent) string { return c.Ref })
	unique(&whole.Dependencies, func(d billDepends) string { return d.Ref })
	root.Ref = fmt.Sprintf("pkg:generic/pen@%s?arch=%s&os=%s", s.version, s.arch, s.system)
	whole.Dependencies = append([]billDepends{root}, whole.Dependencies...)
	whole.Metadata.Timestamp = s.time.Format(time.RFC3339)
	whole.Metadata.Component = billComponent{Ref: root.Ref, Type: "application", Name: "pen", Version: s.version, Licenses: licensed(license), PURL: root.Ref}
	text, err := json.MarshalIndent(whole, "", "  ")
	if err != nil {
		return err
	}
	if err := s.writeMade("sbom.cdx.json", append(text, '\n')); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, fmt.Sprintf("pen-%s.%s-%s.cdx.json", s.version, s.system, s.arch)), append(text, '\n'), 0o644)
}

// programBill returns the bill of one program.
func (s *stage) programBill(name string) (bill, error) {
	path := filepath.Join(s.dir, name+".cdx.json")
	err := tool(nil, "cyclonedx-gomod", "bin", "-json", "-std", "-noserial", "-notimestamp", "-version", s.version,
		"-output", path, filepath.Join(s.dir, "bin", name))
	if err != nil {
		return bill{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return bill{}, err
	}
	var b bill
	if err := json.Unmarshal(text, &b); err != nil {
		return bill{}, fmt.Errorf("bill of %s: %w", name, err)
	}
	b.Metadata.Component.Name = name
	return b, nil
}

// licenseIDs returns the licence of each module of the target. cyclonedx-gomod guesses, too, but takes those of Go's
// authors for others.
func (s *stage) licenseIDs() (map[string]string, error) {
	all, err := s.modules()
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, m := range all {
		text, err := m.license(all)
		if err != nil {
			return nil, err
		}
		if ids[m.path], err = licenseID(text); err != nil {
			return nil, fmt.Errorf("%s %s: %w", m.path, m.version, err)
		}
	}
	return ids, nil
}

// unique keeps the first of the values with the same key, in their order.
func unique[T any](values *[]T, key func(T) string) {
	known := map[string]bool{}
	*values = slices.DeleteFunc(*values, func(v T) bool {
		k := key(v)
		again := known[k]
		known[k] = true
		return again
	})
}
