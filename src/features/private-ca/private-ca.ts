import { rootCertificates } from 'node:tls';
import type { Config } from '../../config.ts';
import type {} from '../../shared/trusted-cas.ts';

/** The CAs that TLS connections trust, as `tls.connect` takes them; undefined for Node's own, which that option replaces. */
export function trustedCas({ privateCa }: Pick<Config, 'privateCa'>): string[] | undefined {
  return privateCa && [...rootCertificates, ...privateCa];
}
