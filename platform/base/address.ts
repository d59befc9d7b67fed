import { isIPv4, isIPv6 } from 'node:net';

/** A host name after RFC 1123: labels of letters, digits and inner hyphens. */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
const hostNameLengthMax = 253;

/** Why `host` is neither an IPv4 or IPv6 address nor a host name, and what would be. */
export interface HostProblem {
  readonly what: string;
  readonly mend: string;
}

/**
 * A host as it is dialled: an IPv6 address without the brackets that it has in a URL, everything
 * else as it is.
 */
export function plainHost(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** null: the host is an IPv4 address, an IPv6 address (with or without brackets), or a name. */
export function findHostProblem(host: string): HostProblem | null {
  const plain = plainHost(host);
  // An address of one link names the interface after %.
  const [address = ''] = plain.split('%', 1);
  if (isIPv6(address) || (plain === host && isIPv4(host))) {
    return null;
  }
  const withPort = /^(.*):(\d+)$/.exec(host);
  const before = withPort?.[1] ?? '';
  // Without brackets nobody could tell a port from the last group of an IPv6 address.
  const isBare = before.includes(':') && !before.startsWith('[');
  if (withPort !== null && !isBare && findHostProblem(before) === null) {
    const mend = `Write the host as ${before}, and ${withPort[2] ?? ''} as its port`;
    return { what: 'has a port', mend };
  }
  const scheme = /^[a-z]+:\/\/([^/]*)/i.exec(host);
  if (scheme !== null) {
    return { what: 'is a URL', mend: `Write the host as ${scheme[1] ?? ''}` };
  }
  if (/^[0-9.]+$/.test(plain)) {
    return { what: 'is no IPv4 address', mend: 'Write four numbers from 0 to 255 with dots' };
  }
  if (plain.includes(':')) {
    return { what: 'is no IPv6 address', mend: 'Write it as 2001:db8::1, say' };
  }
  const labels = plain.replace(/\.$/, '').split('.');
  const isName = plain.length <= hostNameLengthMax && labels.every((part) => label.test(part));
  return isName && plain === host
    ? null
    : { what: 'is no host name', mend: 'Use letters, digits, inner hyphens and dots' };
}

/** `host:port`, with the brackets that an IPv6 address has there. */
export function formatAddress(host: string, port: number): string {
  const plain = plainHost(host);
  return `${plain.includes(':') ? `[${plain}]` : plain}:${String(port)}`;
}
