import { X509Certificate } from 'node:crypto';
import { featureSettings } from '../../settings/feature.ts';
import { optional, readBy, SettingProblem } from '../../settings/setting.ts';
import { readRegularFile } from '../../shared/regular-file.ts';

const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export const privateCaSettings = featureSettings({
  title: 'Private CA',
  settings: {
    CA_FILE: optional({
      about:
        'A PEM file with CA certificates that are trusted besides the well-known ones, wherever Latchkey connects by TLS.',
      unset: 'the well-known ones only',
      read: readBy(readCas),
    }),
  },
  read: ({ CA_FILE }) => CA_FILE,
});

/** The certificates in a PEM file. */
function readCas(path: string): string[] {
  try {
    const added = readRegularFile(path).toString().match(certificate) ?? [];
    for (const pem of added) new X509Certificate(pem);
    if (added.length > 0) return added;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SettingProblem(`takes the path of a PEM file that can be read; this one can't (${reason})`);
  }
  throw new SettingProblem('names a file without a certificate; it takes a PEM file (-----BEGIN CERTIFICATE-----)');
}
