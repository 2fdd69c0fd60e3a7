import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { z } from 'zod';

const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads the path of a PEM file. The value is what `tls.connect` takes as `ca`: Node's own CAs and those in the file,
 * because the option replaces the default.
 */
export const caFile = z.string().transform((path, context) => {
  try {
    const added = readFileSync(path, 'utf8').match(certificate) ?? [];
    for (const pem of added) new X509Certificate(pem);
    if (added.length > 0) return [...rootCertificates, ...added];
    context.addIssue({
      code: 'custom',
      message: 'names a file without a certificate; it takes a PEM file (-----BEGIN CERTIFICATE-----)',
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.addIssue({
      code: 'custom',
      message: `takes the path of a PEM file that can be read; this one can't (${reason})`,
    });
  }
  return z.NEVER;
});
