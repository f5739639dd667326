package conf

import (
	"slices"
	"strings"
	"time"
)

// tlsCommands are about TLS with clients. Its files are read when the settings are put to work, not before.
var tlsCommands = []*Command{
	{
		Name: "certificates", Args: "[json]", Help: "Show the certificates for clients: the file, the names, the kind, when they expire, and if an OCSP response is stapled.",
		perService: true, reply: sayCertificates,
	},
	{
		Name: "ssl_alpn", Args: "[PROTOCOL]...", Help: "Agree with clients on one of these protocols, like h2 or http/1.1, and show them.",
		NoHelp: "Agree on no protocol.", perService: true, reply: sayValue,
		kind: several(alpnName, func(v *Service) *[]string { return &v.TLS.ALPN }),
	},
	{
		Name: "ssl_ca_dir", Args: "[DIRECTORY]", Help: "Take the certificates of CAs from the files in a directory, like option -A, and show it.",
		NoHelp: "Take them from no directory.", perService: true, reply: sayValue,
		kind: text(nil, func(_ *Settings, v *Service) *string { return &v.TLS.Client.CADir }),
	},
	{
		Name: "ssl_ca_file", Args: "[FILE]", Help: "Take the certificates of CAs from a file, like option -G, and show it.",
		NoHelp: "Take them from no file.", perService: true, reply: sayValue,
		kind: text(nil, func(_ *Settings, v *Service) *string { return &v.TLS.Client.CAFile }),
	},
	{
		Name: "ssl_cert", Args: "[FILE]...",
		Help:   "Speak TLS to clients with the certificates in these files, like option -E, of which ECDSA goes before RSA, and show them.",
		NoHelp: "Use none but those of ssl_sni_path.", perService: true, reply: sayValue,
		kind: several(fileName, func(v *Service) *[]string { return &v.TLS.Certs }),
	},
	{
		Name: "ssl_ciphers", Args: "CIPHERS", Help: "Choose the ciphers of TLS 1.2 by a list as OpenSSL takes it.",
		NoHelp: "Use all ciphers that are safe.", perService: true,
		kind: text(cipherList, func(_ *Settings, v *Service) *string { return &v.TLS.Ciphers }),
	},
	{
		Name: "ssl_client_renegotiation_interval", Args: "SECONDS", Help: "Obsolete and without effect, as no client may renegotiate.",
		kind: kind{set: renegotiation},
	},
	{
		Name: "ssl_crl", Args: "[FILE]", Help: "Refuse clients whose certificates are on the revocation lists in a file and show it.",
		NoHelp: "Look at no revocation list.", perService: true, reply: sayValue,
		kind: text(nil, func(_ *Settings, v *Service) *string { return &v.TLS.Client.CRL }),
	},
	{
		Name: "ssl_key", Args: "[FILE]...", Help: "Find the keys of certificates in these files, like option -K, and show them.",
		NoHelp: "Find them in the files of the certificates.", perService: true, reply: sayValue,
		kind: several(fileName, func(v *Service) *[]string { return &v.TLS.Keys }),
	},
	{
		Name: "ssl_ocsp", Args: "[off|fetch]", Help: "Fetch OCSP responses from the CAs and staple them, or not, and show which.",
		perService: true, reply: sayValue,
		kind: choice("off", "fetch", func(v *Service) *bool { return &v.TLS.OCSP.Fetch }),
	},
	{
		Name: "ssl_ocsp_response", Args: "FILE", Help: "Staple the OCSP response in a file to the first certificate of ssl_cert.",
		NoHelp: "Staple none from a file.", perService: true,
		kind: text(nil, func(_ *Settings, v *Service) *string { return &v.TLS.OCSP.Response }),
	},
	{
		Name: "ssl_option", Args: "OPTION", Help: "Turn off a version of TLS by no_tlsv1.2 or no_tlsv1.3; those before 1.2 are always off.",
		NoArgs: "[OPTION]", NoHelp: "Turn it on, or both.", perService: true,
		kind: kind{set: setOption, off: noOption, lines: optionLines},
	},
	{
		Name: "ssl_protocol", Args: "[tls1.2|tls1.3]", Help: "Set the least version of TLS, like option -L, and show it.",
		perService: true, reply: sayValue,
		kind: kind{set: setProtocol, lines: choice("tls1.2", "tls1.3", least).lines},
	},
	{
		Name: "ssl_session_tickets", Args: "[on|off]", Help: "Let clients resume their sessions, or have them do a full handshake each time, and show which.",
		perService: true, reply: sayValue,
		kind: choice("on", "off", func(v *Service) *bool { return &v.TLS.Tickets.Off }),
	},
	{
		Name: "ssl_sni_path", Args: "DIRECTORY", Help: "Choose certificates by the name that the client asks for, from NAME.crt and NAME.key in a directory.",
		NoHelp: "Use the certificates of ssl_cert alone.", perService: true,
		kind: text(nil, func(_ *Settings, v *Service) *string { return &v.TLS.SNIPath }),
	},
	{
		Name: "ssl_ticket_key", Args: "[FILE]...", Help: "Encrypt session tickets with the first of these files, know those of the others, and show them.",
		NoHelp: "Encrypt them with random keys that change by themselves.", perService: true, reply: sayValue,
		kind: several(fileName, func(v *Service) *[]string { return &v.TLS.Tickets.Keys }),
	},
	{
		Name: "ssl_verify", Args: "[none|optional|required]",
		Help:       "Ask clients for no certificate, check one that they have, or require a valid one, like option -R, and show which.",
		perService: true, reply: sayValue,
		kind: kind{set: setVerify, lines: verifyLines},
	},
}

// maxWords bounds the operands of a command that takes any number.
const maxWords = 64

// several is any number of different words that valid accepts, which are set all together.
func several(valid func(*call, string) error, at func(*Service) *[]string) kind {
	return kind{
		set: func(c *call) error {
			if len(c.args) > maxWords {
				return c.wrong("expected at most %d operands, not %d", maxWords, len(c.args))
			}
			for i, word := range c.args {
				if err := valid(c, word); err != nil {
					return err
				}
				if slices.Contains(c.args[:i], word) {
					return c.wrong("expected '%s' once", clip(word))
				}
			}
			*at(c.service) = slices.Clone(c.args)
			return nil
		},
		off: func(c *call) error {
			*at(c.service) = nil
			return nil
		},
		lines: func(row *Command, _ *Settings, v *Service) []string {
			list := *at(v)
			if len(list) == 0 {
				return []string{"no " + row.Name}
			}
			line := row.Name
			for _, word := range list {
				line += " " + Quote(word)
			}
			return []string{line}
		},
	}
}

func fileName(c *call, word string) error {
	if word == "" {
		return c.wrong("expected the name of a file, not an empty word")
	}
	return nil
}

// alpnName checks a protocol: its length goes into one byte, RFC 7301.
func alpnName(c *call, word string) error {
	if word == "" || len(word) > 255 {
		return c.wrong("expected the name of a protocol, like h2 or http/1.1, not '%s'", clip(word))
	}
	return nil
}

// cipherList checks the operand of ssl_ciphers.
func cipherList(c *call, list string) error {
	if _, err := ParseCiphers(list); err != nil {
		return c.wrong("%v", err)
	}
	return nil
}

// notice says that something is accepted and has no effect. Scripts go on.
func (c *call) notice(format string, args ...any) {
	c.printf(c.command.Name+NoticeMark+format+"\n", args...)
}

// NoticeMark stands in a reply that is a notice, between the command and the text.
const NoticeMark = ": notice: "

func renegotiation(c *call) error {
	if _, err := c.number("seconds", c.args[0], 0, maxNumber); err != nil {
		return err
	}
	c.notice("without effect: renegotiation is always refused")
	return nil
}

// least is the least version of TLS: true means 1.3.
func least(v *Service) *bool { return &v.TLS.Version.Only13 }

// setProtocol takes the names of option -L, too.
func setProtocol(c *call) error {
	switch name := c.args[0]; name {
	case "tls1.2", "tls1.3":
		*least(c.service) = name == "tls1.3"
	case "ssl23":
		*least(c.service) = false // "any version" in the names of OpenSSL
	case "ssl2", "ssl3", "tls1":
		*least(c.service) = false
		c.notice("%s is not safe and not spoken: the least version is TLS 1.2", name)
	default:
		return c.wrong("protocol version %s not known; expected tls1.2 or tls1.3", clip(name))
	}
	return nil
}

// tlsOptions are the options of ssl_option that have an effect.
var tlsOptions = []struct {
	name string
	at   func(*TLSVersions) *bool
}{
	{"no_tlsv1.2", func(v *TLSVersions) *bool { return &v.No12 }},
	{"no_tlsv1.3", func(v *TLSVersions) *bool { return &v.No13 }},
}

// setOption takes one option. The C pen ignores those that it does not know, and so do we, but not without a word.
func setOption(c *call) error {
	versions := c.service.TLS.Version
	switch name := c.args[0]; name {
	case "no_sslv2", "no_sslv3", "no_tlsv1", "no_tlsv1.1":
		c.notice("%s is always so: the least version is TLS 1.2", name)
		return nil
	case "cipher_server_preference":
		c.notice("%s is always so: the server chooses", name)
		return nil
	default:
		for _, o := range tlsOptions {
			if o.name == name {
				*o.at(&versions) = true
				if versions.No12 && versions.No13 {
					return c.wrong("no version is left without TLS 1.2 and TLS 1.3")
				}
				c.service.TLS.Version = versions
				return nil
			}
		}
		c.notice("unknown option '%s' is ignored; expected no_tlsv1.2, no_tlsv1.3, cipher_server_preference, no_sslv2, no_sslv3, no_tlsv1 or no_tlsv1.1", clip(name))
		return nil
	}
}

func noOption(c *call) error {
	found := len(c.args) == 0
	for _, o := range tlsOptions {
		if len(c.args) == 0 || o.name == c.args[0] {
			*o.at(&c.service.TLS.Version) = false
			found = true
		}
	}
	if !found {
		return c.wrong("expected no_tlsv1.2 or no_tlsv1.3, not '%s'", clip(c.args[0]))
	}
	return nil
}

func optionLines(row *Command, _ *Settings, v *Service) []string {
	lines := []string{"no " + row.Name}
	for _, o := range tlsOptions {
		if *o.at(&v.TLS.Version) {
			lines = append(lines, row.Name+" "+o.name)
		}
	}
	return lines
}

// verifies are the operands of ssl_verify, at the index of the value.
var verifies = [...]string{VerifyNone: "none", VerifyOptional: "optional", VerifyRequired: "required"}

func setVerify(c *call) error {
	i := slices.Index(verifies[:], c.args[0])
	if i < 0 {
		return c.wrong("expected %s, not '%s'", strings.Join(verifies[:], ", "), clip(c.args[0]))
	}
	c.service.TLS.Client.Verify = Verify(i)
	return nil
}

func verifyLines(row *Command, _ *Settings, v *Service) []string {
	return []string{row.Name + " " + verifies[v.TLS.Client.Verify]}
}

// sayCertificates replies with the certificates that are in use.
func sayCertificates(c *call) error {
	json := c.asJSON()
	if len(c.args) > 0 {
		return c.wrong("expected json, not '%s'", clip(c.args[0]))
	}
	list := c.draft.rt.Certificates(c.service.Name)
	if json {
		return c.json(list)
	}
	for _, s := range list {
		stapled := "no"
		if s.Stapled {
			stapled = "yes"
		}
		c.printf("%s names %s kind %s chain %d expires %s stapled %s\n", s.File, strings.Join(s.Names, ","), s.Kind, s.Chain,
			s.Expires.UTC().Format(time.RFC3339), stapled)
	}
	return nil
}
