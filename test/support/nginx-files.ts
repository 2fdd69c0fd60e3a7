import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type NginxPlace = {
  /** The directory of the shipped files, of which `latchkey.conf` is the main one. */
  shipped: string;
  directory: string;
  port: number;
  /** Where http is redirected to https. */
  redirectPort: number;
  certificate: string;
  key: string;
  /** Replaces addresses in the shipped files. */
  replace: (text: string) => string;
};

/** Writes the shipped files, and a main file that includes them, for an nginx without a service. @returns its arguments */
export function writeNginxFiles(place: NginxPlace): string[] {
  const { shipped, directory, port, redirectPort, certificate, key, replace } = place;
  mkdirSync(directory, { recursive: true });
  for (const file of readdirSync(shipped)) {
    const text = replace(readFileSync(join(shipped, file), 'utf8'))
      .replaceAll(/^ *listen \[::\].*\n/gm, '')
      .replaceAll('listen 443', `listen 127.0.0.1:${port}`)
      .replaceAll('listen 80', `listen 127.0.0.1:${redirectPort}`)
      .replaceAll('/etc/nginx/certificates/example.pem', certificate)
      .replaceAll('/etc/nginx/certificates/example.key', key);
    writeFileSync(join(directory, file), text);
  }
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${directory}/${kind};`,
  );
  const main = [
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    `daemon off; worker_processes 1; pid ${directory}/pid; error_log stderr warn;`,
    'events {}',
    `http { access_log off; ${paths.join(' ')} include ${directory}/latchkey.conf; }`,
  ];
  writeFileSync(join(directory, 'nginx.conf'), main.join('\n'));
  return ['-p', directory, '-e', 'stderr', '-c', join(directory, 'nginx.conf')];
}
