package conf

import (
	"fmt"
	"slices"
	"strings"
)

// Lists of ciphers as OpenSSL takes them: names and classes, separated by colons, commas or blanks. A class may be several
// joined by +, which means what is in all of them. A leading - takes out, ! takes out for good, + would move to the end:
// the order means nothing here, as the library for TLS prefers the fastest safe one that both sides have.

// cipher is a cipher suite of TLS 1.2.
type cipher struct {
	name    string // as OpenSSL calls it
	id      uint16 // as the protocol does
	classes string // that it belongs to, besides itself
}

// Classes by which only suites that are safe are meant. The others have to be named, or asked for by kRSA or 3DES: a key
// that is stolen later opens what they have ever protected, or the cipher itself is weak.
const secure = "ALL DEFAULT HIGH COMPLEMENTOFALL ECDHE EECDH kECDHE kEECDH FIPS TLSv1.2 "

// ciphers are all that there are, in the order of preference.
var ciphers = []cipher{
	{"ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b, secure + "AES AES128 AESGCM ECDSA aECDSA SHA256 AEAD"},
	{"ECDHE-RSA-AES128-GCM-SHA256", 0xc02f, secure + "AES AES128 AESGCM RSA aRSA SHA256 AEAD"},
	{"ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c, secure + "AES AES256 AESGCM ECDSA aECDSA SHA384 AEAD"},
	{"ECDHE-RSA-AES256-GCM-SHA384", 0xc030, secure + "AES AES256 AESGCM RSA aRSA SHA384 AEAD"},
	{"ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9, secure + "CHACHA20 ECDSA aECDSA AEAD"},
	{"ECDHE-RSA-CHACHA20-POLY1305", 0xcca8, secure + "CHACHA20 RSA aRSA AEAD"},
	{"ECDHE-ECDSA-AES128-SHA", 0xc009, secure + "AES AES128 ECDSA aECDSA SHA SHA1 CBC"},
	{"ECDHE-RSA-AES128-SHA", 0xc013, secure + "AES AES128 RSA aRSA SHA SHA1 CBC"},
	{"ECDHE-ECDSA-AES256-SHA", 0xc00a, secure + "AES AES256 ECDSA aECDSA SHA SHA1 CBC"},
	{"ECDHE-RSA-AES256-SHA", 0xc014, secure + "AES AES256 RSA aRSA SHA SHA1 CBC"},
	{"ECDHE-ECDSA-AES128-SHA256", 0xc023, "CBC SHA256"},
	{"ECDHE-RSA-AES128-SHA256", 0xc027, "CBC SHA256"},
	{"AES128-GCM-SHA256", 0x009c, "kRSA AESGCM"},
	{"AES256-GCM-SHA384", 0x009d, "kRSA AESGCM"},
	{"AES128-SHA", 0x002f, "kRSA CBC"},
	{"AES256-SHA", 0x0035, "kRSA CBC"},
	{"AES128-SHA256", 0x003c, "kRSA CBC SHA256"},
	{"ECDHE-RSA-DES-CBC3-SHA", 0xc012, "3DES CBC"},
	{"DES-CBC3-SHA", 0x000a, "3DES kRSA CBC"},
}

// nothing are words of OpenSSL that mean no cipher that there is here: what files exclude, to be on the safe side, is
// excluded anyway. The names of TLS 1.3 are among them: its ciphers are always on.
var nothing = strings.Fields(`3DES ADH AECDH ARIA ARIA128 ARIA256 ARIAGCM AESCCM AESCCM8 CAMELLIA CAMELLIA128 CAMELLIA256
	COMPLEMENTOFDEFAULT DES DH DHE DSS EDH EXP EXPORT EXPORT40 EXPORT56 GOST GOST89MAC GOST94 IDEA KRB5 LOW MD5 MEDIUM NULL PSK
	RC2 RC4 SEED SRP SSLv2 SSLv3 STREEBOG256 aDH aDSS aGOST aGOST01 aNULL aPSK eNULL kDH kDHE kDHEPSK kECDH kECDHEPSK kEDH
	kGOST kPSK kRSAPSK kSRP ECDH aECDH TLSv1 TLSv1.0 TLSv1.1
	TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256`)

// CipherName returns what OpenSSL calls a cipher suite of TLS 1.2, "" if it is none of those that there are.
func CipherName(id uint16) string {
	if i := slices.IndexFunc(ciphers, func(c cipher) bool { return c.id == id }); i >= 0 {
		return ciphers[i].name
	}
	return ""
}

// ParseCiphers returns the numbers of the cipher suites that a list means.
func ParseCiphers(list string) ([]uint16, error) {
	on, dead := make([]bool, len(ciphers)), make([]bool, len(ciphers))
	for item := range strings.FieldsFuncSeq(list, func(r rune) bool { return strings.ContainsRune(":, ;\t", r) }) {
		if strings.HasPrefix(item, "@") { // an order, or a level that no cipher here is below of
			if item == "@STRENGTH" || strings.HasPrefix(item, "@SECLEVEL=") {
				continue
			}
			return nil, unknownCipher(item)
		}
		action, word := byte(0), item
		if strings.ContainsRune("-+!", rune(item[0])) {
			action, word = item[0], item[1:]
		}
		meant, err := ciphersOf(word)
		if err != nil {
			return nil, err
		}
		for _, i := range meant {
			switch {
			case action == '!':
				on[i], dead[i] = false, true
			case action == '-':
				on[i] = false
			case action == 0 && !dead[i]:
				on[i] = true
			}
		}
	}
	var ids []uint16
	for i, c := range ciphers {
		if on[i] {
			ids = append(ids, c.id)
		}
	}
	if ids == nil {
		return nil, fmt.Errorf("no cipher is left of '%s'; there are %s", clip(list), cipherNames())
	}
	return ids, nil
}

// ciphersOf returns the indices of the ciphers that have a name, or are in all of the classes that word joins by +.
func ciphersOf(word string) (found []int, err error) {
	classes := strings.Split(word, "+")
	known := make([]bool, len(classes))
	for n, class := range classes {
		known[n] = slices.Contains(nothing, class)
	}
	for i, c := range ciphers {
		in := strings.Fields(c.classes)
		all := true
		for n, class := range classes {
			is := class == c.name || slices.Contains(in, class)
			known[n] = known[n] || is
			all = all && is
		}
		if all {
			found = append(found, i)
		}
	}
	if i := slices.Index(known, false); i >= 0 {
		return nil, unknownCipher(classes[i])
	}
	return found, nil
}

func unknownCipher(word string) error {
	return fmt.Errorf("unknown cipher '%s'; there are %s", clip(word), cipherNames())
}

// cipherNames are all names, for a message.
func cipherNames() string {
	names := make([]string, len(ciphers))
	for i, c := range ciphers {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}
