import type { Config } from '../../config.ts';

/** The CAs that TLS connections trust, as `tls.connect` takes them; undefined for Node's own. */
export function trustedCas({ privateCa }: Pick<Config, 'privateCa'>): string[] | undefined {
  return privateCa;
}
