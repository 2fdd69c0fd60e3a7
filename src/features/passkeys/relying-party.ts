import type { Request } from 'express';
import type { Config } from '../../config.ts';
import { parseUrl } from '../../http/url.ts';

/** What a passkey is for: browsers offer it only on sites that may claim this id (WebAuthn, 5.1.2). */
export type RelyingParty = {
  id: string;
  /** The one origin whose answers are accepted: this site's. */
  origin: string;
};

type Site = Pick<Config, 'origin'> & { passkeys: Pick<Config['passkeys'], 'relyingPartyId'> };

/**
 * Says which relying party a request is for. Undefined where browsers have no passkeys: on an IP address, and over plain
 * http on anything but localhost.
 */
export function relyingPartyOf({ origin, passkeys }: Site): (req: Request) => RelyingParty | undefined {
  const configured = origin === undefined ? undefined : partyAt(origin, passkeys.relyingPartyId);
  return (req) => {
    if (origin !== undefined) return configured;
    // Without BASE_URL, as in development, the Host header is the client's word, which is good enough for localhost.
    const party = partyAt(`http${req.secure ? 's' : ''}://${req.host}`, undefined);
    return party && isLocal(party.id) ? party : undefined;
  };
}

function partyAt(address: string, chosenId: string | undefined): RelyingParty | undefined {
  const url = parseUrl(address);
  if (!url || !(url.protocol === 'https:' || isLocal(url.hostname)) || isIpAddress(url.hostname)) return undefined;
  return { id: chosenId ?? url.hostname, origin: url.origin };
}

/** Whether a URL's host name is localhost, which browsers take for secure over http as well. */
export function isLocal(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost');
}

/** Whether a URL's host name is an address; the URL parser has put it into its canonical form. */
export function isIpAddress(hostname: string): boolean {
  return /^\[|^\d+(\.\d+){3}$/.test(hostname);
}
