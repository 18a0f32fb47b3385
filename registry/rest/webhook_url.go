package rest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Check says whether a webhook may have this URL: an allowed scheme and, unless private addresses are allowed, a host all of whose
// addresses are public (contract/behaviours.md, section 12).
func (w *Webhooks) Check(ctx context.Context, text string) error {
	if strings.TrimSpace(text) == "" {
		return registry.Invalidf("Webhook URL cannot be empty or just whitespace: %s", pyjson.Repr(text))
	}
	u, err := url.Parse(text)
	if err != nil {
		// Go refuses more than Python does; what it refuses it could not call either.
		scheme, _, _ := strings.Cut(text, ":")
		if !slices.Contains(w.cfg.Schemes, scheme) {
			return w.badScheme("")
		}
		if i := strings.LastIndex(err.Error(), ": "); i >= 0 {
			return registry.Invalidf("Invalid webhook URL %s: %s", pyjson.Repr(text), err.Error()[i+2:])
		}
		return registry.Invalidf("Invalid webhook URL %s", pyjson.Repr(text))
	}
	if w.local(u) != nil {
		return nil
	}
	if !slices.Contains(w.cfg.Schemes, u.Scheme) {
		return w.badScheme(u.Scheme)
	}
	host := u.Hostname()
	if host == "" {
		return registry.Invalidf("Webhook URL must include a hostname: %s", pyjson.Repr(text))
	}
	if w.cfg.AllowPrivate {
		return nil
	}
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return registry.Invalidf("Cannot resolve Webhook URL hostname %s: %v", pyjson.Repr(host), err)
	}
	for _, addr := range addrs {
		if !isPublic(addr) {
			return registry.Invalidf("Webhook URL must not resolve to a non-public IP address. %s resolves to %s.", pyjson.Repr(host), pythonAddr(host, addr))
		}
	}
	return nil
}

// pythonAddr writes an address as Python does, which knows no dotted form of an IPv4 address inside IPv6.
func pythonAddr(host string, addr netip.Addr) string {
	if literal, err := netip.ParseAddr(host); err == nil && literal.Is4In6() {
		b := literal.As16()
		return fmt.Sprintf("::ffff:%x:%x", uint16(b[12])<<8|uint16(b[13]), uint16(b[14])<<8|uint16(b[15]))
	}
	return addr.Unmap().String() // a resolver may give IPv4 addresses in IPv6 form
}

func (w *Webhooks) badScheme(scheme string) error {
	return registry.Invalidf("Invalid webhook URL scheme: %s. Allowed schemes are: %s.", pyjson.Repr(scheme), strings.Join(w.cfg.Schemes, ", "))
}

// notPublic are the ranges that IANA's registries of special-purpose addresses call not globally reachable, as Python's is_global has
// them, beside those that netip names.
var notPublic = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10")

var publicAfterAll = prefixes("192.0.0.9/32", "192.0.0.10/32", "2001:1::1/128", "2001:1::2/128", "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28")

// wrapped are ranges of IPv6 that hold an IPv4 address from some byte on: NAT64 and 6to4.
var wrapped = []struct {
	prefix netip.Prefix
	from   int
}{{netip.MustParsePrefix("64:ff9b::/96"), 12}, {netip.MustParsePrefix("2002::/16"), 2}}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// isPublic tells whether anybody on the internet can reach an address. What wraps an IPv4 address counts as that.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, w := range wrapped {
		if w.prefix.Contains(addr) {
			b := addr.As16()
			addr = netip.AddrFrom4([4]byte(b[w.from : w.from+4]))
		}
	}
	in := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	switch {
	case !addr.IsValid(), addr.IsLoopback(), addr.IsPrivate(), addr.IsLinkLocalUnicast(), addr.IsUnspecified():
		return false
	case in(publicAfterAll):
		return true
	}
	return !in(notPublic)
}

// errNotPublic says that a connection was about to lead where it must not.
type errNotPublic struct{ addr netip.Addr }

func (e errNotPublic) Error() string {
	return fmt.Sprintf("Webhook connection blocked: %s is not a public IP address. This may indicate a DNS rebinding attempt.", e.addr)
}

// control is asked before every connection, with the address that is really dialled: a name may resolve otherwise than when it was checked.
func (w *Webhooks) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !w.cfg.AllowPrivate && !isPublic(at.Addr()) {
		return errNotPublic{at.Addr().Unmap()}
	}
	return nil
}
