import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The image that the Dockerfile begins with, and what it is called here. */
const upstream = 'node:24-slim';
export const baseImage = 'localhost/latchkey-base';
const pullWithinMs = 120_000;

/** Runs a command, and returns what it printed. */
export type Run = (command: string, ...args: string[]) => string;

/**
 * Pulls the base image or, where no image can be pulled, makes one like it: Debian without extras, and Node from its npm
 * package. That one trusts the certificate authorities of this machine, and uses its npm settings.
 * @param directory for what is left over when it is done
 */
export function provideBaseImage(run: Run, buildah: (...args: string[]) => string, directory: string): void {
  if (buildah('images', '--format', '{{.Name}}').split('\n').includes(baseImage)) return;
  const pulled = spawnSync('buildah', ['--storage-driver', 'vfs', 'pull', '--quiet', upstream], {
    timeout: pullWithinMs,
    stdio: 'ignore',
  });
  if (pulled.status === 0) {
    buildah('tag', upstream, baseImage);
    return;
  }
  console.log(`no image can be pulled here; making one like ${upstream}`);
  const container = buildah('from', 'scratch').trim();
  const root = buildah('mount', container).trim();
  const [mirror = ''] = run('apt-get', 'indextargets', '--format', '$(SITE)').split('\n');
  const release = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  run('debootstrap', '--variant=minbase', '--include=ca-certificates', release, root, mirror);

  const packages = mkdtempSync(join(directory, 'npm-'));
  run('npm', 'install', '--silent', '--no-save', '--prefix', packages, 'node@24');
  cpSync(join(packages, 'node_modules/node/bin/node'), join(root, 'usr/local/bin/node'));
  run('npm', 'install', '--silent', '--global', '--prefix', join(root, 'usr/local'), 'npm@11');
  const authorities = process.env.NODE_EXTRA_CA_CERTS;
  if (authorities) cpSync(authorities, join(root, 'etc/ssl/certs/ca-certificates.crt'));
  const settings = run('npm', 'config', 'get', 'globalconfig').trim();
  mkdirSync(join(root, 'usr/local/etc'), { recursive: true });
  if (existsSync(settings)) cpSync(settings, join(root, 'usr/local/etc/npmrc'));
  run('chroot', root, 'useradd', '--uid', '1000', '--create-home', 'node');

  const bundle = authorities ? ['--env', 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt'] : [];
  buildah('config', ...bundle, '--cmd', 'node', container);
  buildah('commit', '--quiet', '--disable-compression', '--rm', container, baseImage);
}
