/** Which addresses belong to everybody, and which to a network, a host or a cloud's own services. */
import { BlockList, isIPv6 } from 'node:net';

export interface NetworkAddress {
  address: string;
  family: 4 | 6;
}

/** IANA's special-purpose registry of IPv4, and the address at which Azure's machines find their host. */
const NOT_PUBLIC_IPV4 = subnets('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]);
/** All that is public of IPv6 lies here (RFC 4291, section 2.4, as IANA allocates it), … */
const GLOBAL_IPV6 = subnets('ipv6', [['2000::', 3]]);
/** … but for documentation, and for tunnels that end who knows where. */
const NOT_PUBLIC_IPV6 = subnets('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);
/** The last 32 bits of these are an IPv4 address: mapped ones (RFC 4291), and NAT64's (RFC 6052). */
const MAPPED = subnets('ipv6', [['::ffff:0:0', 96]]);
const NAT64 = subnets('ipv6', [['64:ff9b::', 96]]);

export function isPublic({ address, family }: NetworkAddress): boolean {
  if (family === 4) return !NOT_PUBLIC_IPV4.check(address, 'ipv4');
  if (NAT64.check(address, 'ipv6')) return isPublic({ address: embeddedIpv4(address), family: 4 });
  return GLOBAL_IPV6.check(address, 'ipv6') && !NOT_PUBLIC_IPV6.check(address, 'ipv6');
}

/** The address without a zone, an IPv4 one that is written as IPv6 as what it is. */
export function plainAddress(written: string): NetworkAddress {
  const address = written.replace(/%.*$/, '');
  if (!isIPv6(address)) return { address, family: 4 };
  return MAPPED.check(address, 'ipv6') ? { address: embeddedIpv4(address), family: 4 } : { address, family: 6 };
}

function embeddedIpv4(address: string): string {
  // A URL writes any form of an address in one form: hexadecimal, with the longest run of zeros left out.
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split(':');
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group === '' ? '0' : group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function subnets(family: 'ipv4' | 'ipv6', all: readonly (readonly [net: string, prefix: number])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of all) list.addSubnet(net, prefix, family);
  return list;
}
