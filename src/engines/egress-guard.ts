/** Where pipelines may call: looked up, checked, and then connected to as it was checked (spec section 7, EGRESS_ALLOW). */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { EngineError, messageOf } from '../errors.ts';
import { isPublic, type NetworkAddress, plainAddress } from './network-address.ts';

export interface EgressOptions {
  /** Whether addresses that are not public need a rule: so it is with authentication on. */
  restricted: boolean;
  /** Hosts (`*.` in front for all below), addresses, CIDR ranges, IPv6 in brackets, each with an optional port. */
  allow: readonly string[];
  /** All addresses of a host; the system's by default. */
  resolve?: (host: string) => Promise<readonly { address: string }[]>;
}

type Rule = (host: string, address: NetworkAddress, port: number) => boolean;

export class EgressGuard {
  readonly #restricted: boolean;
  readonly #rules: readonly Rule[];
  readonly #resolve: NonNullable<EgressOptions['resolve']>;

  constructor({ restricted, allow, resolve = (host) => lookup(host, { all: true }) }: EgressOptions) {
    this.#restricted = restricted;
    this.#rules = allow.map(ruleOf);
    this.#resolve = resolve;
  }

  /**
   * The addresses that a request to `url` may be sent to. Whoever sends it connects to one of these and looks nothing up
   * again, since the next answer of a name server can be another one (DNS rebinding). For each request anew.
   *
   * @throws EngineError `PermissionDeniedError` when any of the host's addresses is not allowed; `UnavailableError` when
   *   the host is not known
   */
  async addressesOf(url: URL): Promise<NetworkAddress[]> {
    const host = plainHost(url.hostname);
    const addresses = await this.#addresses(host);
    const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);
    const allowed = (address: NetworkAddress) =>
      !this.#restricted || isPublic(address) || this.#rules.some((rule) => rule(host, address, port));
    if (addresses.every(allowed)) return addresses;
    // Which address it is, is not for whoever wrote the pipeline: names would tell what a private network has.
    throw new EngineError(
      'PermissionDeniedError',
      `${url.host} is in a private network, where pipelines may not call; an operator allows it by EGRESS_ALLOW`,
    );
  }

  async #addresses(host: string): Promise<NetworkAddress[]> {
    if (isIP(host) !== 0) return [plainAddress(host)];
    try {
      const found = await this.#resolve(host);
      if (found.length > 0) return found.map(({ address }) => plainAddress(address));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? messageOf(error);
      throw new EngineError('UnavailableError', `the host ${host} cannot be looked up: ${code}`, { cause: error });
    }
    throw new EngineError('UnavailableError', `the host ${host} has no address`);
  }
}

function ruleOf(written: string): Rule {
  const [, target = '', ruledPort] = /^(.*?)(?::(\d{1,5}))?$/.exec(written) ?? [];
  const onPort = (port: number) => ruledPort === undefined || Number(ruledPort) === port;
  const [, net = '', prefix] = /^\[?([^\]/]*)\]?(?:\/(\d{1,3}))?$/.exec(target) ?? [];
  if (isIP(net) === 0) {
    const matches = hostMatcher(target);
    return (host, _, port) => onPort(port) && matches(host);
  }
  const { address, family } = plainAddress(net);
  const list = new BlockList();
  if (prefix === undefined) list.addAddress(address, `ipv${family}`);
  else list.addSubnet(address, Number(prefix), `ipv${family}`);
  return (_, asked, port) => onPort(port) && asked.family === family && list.check(asked.address, `ipv${family}`);
}

function hostMatcher(pattern: string): (host: string) => boolean {
  const name = plainHost(pattern);
  return name.startsWith('*.') ? (host) => host.endsWith(name.slice(1)) : (host) => host === name;
}

/** Lower case, without the brackets of IPv6 and without the dot that ends a full name. */
function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
