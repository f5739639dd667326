package conf

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
)

// What people have in their files means what is safe of it.
func TestParseCiphers(t *testing.T) {
	var all []string
	for _, c := range tls.CipherSuites() {
		if slices.Contains(c.SupportedVersions, tls.VersionTLS12) {
			all = append(all, c.Name)
		}
	}
	const gcm = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
	tests := []struct{ list, want string }{
		{"DEFAULT", strings.Join(all, " ")},
		{"HIGH:!aNULL:!MD5", strings.Join(all, " ")},
		{"ALL:!ADH:!LOW:!EXP:!MD5:!RC4:@STRENGTH", strings.Join(all, " ")},
		{"DEFAULT@SECLEVEL", ""},
		{"DEFAULT:@SECLEVEL=2", strings.Join(all, " ")},
		{"ECDHE+AESGCM", gcm},
		{"EECDH+AESGCM:EDH+AESGCM", gcm},
		{"HIGH:!SHA1:!CHACHA20", gcm},
		{"HIGH:-AES:ECDHE-RSA-AES128-GCM-SHA256:!ECDSA", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		{"!AES128:ECDHE+AESGCM:+RSA", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
		{"ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{"TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{"AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"},
		{"3DES", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
		{"ECDHE+AESGCM:!3DSE", ""},
		{"ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256", ""},
		{"aNULL", ""},
		{"", ""},
		{"!", ""},
		{"ECDHE+", ""},
	}
	for _, tt := range tests {
		ids, err := ParseCiphers(tt.list)
		var got []string
		for _, id := range ids {
			got = append(got, tls.CipherSuiteName(id))
		}
		want := strings.Fields(tt.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || (err == nil) != (tt.want != "") {
			t.Errorf("%q:\ngot  %v, %v\nwant %v", tt.list, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "there are ECDHE-ECDSA-AES128-GCM-SHA256, ") {
			t.Errorf("%q: the error does not list what there is: %v", tt.list, err)
		}
	}
}

// The numbers are those of the library, which has no other cipher that we lack but RC4.
func TestCiphersAreThose(t *testing.T) {
	for _, c := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		known := slices.ContainsFunc(ciphers, func(o cipher) bool { return o.id == c.ID })
		if want := c.SupportedVersions[0] != tls.VersionTLS13 && !strings.Contains(c.Name, "RC4"); known != want {
			t.Errorf("%s: known %t, want %t", c.Name, known, want)
		}
	}
}

func FuzzParseCiphers(f *testing.F) {
	for _, list := range []string{"HIGH:!aNULL", "ECDHE+AESGCM:-AES", "@SECLEVEL=1", "!", "+", ":,; "} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		ids, err := ParseCiphers(list)
		if (err == nil) == (len(ids) == 0) {
			t.Errorf("%q: got %v and %v", list, ids, err)
		}
	})
}
