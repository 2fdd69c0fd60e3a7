import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { findOnPath } from '../../src/dev/private-redis.ts';
import { type Certificate, certificateFor } from './certificate.ts';
import { writeNginxFiles } from './nginx-files.ts';
import { freePort, newDirectory, startProcess } from './process.ts';

export type ProxyName = 'nginx' | 'caddy' | 'haproxy';

/** Files that we ship, below deploy/. */
type ShippedFiles = {
  /** The directory with nginx's files, Caddy's file, and the directory with HAProxy's files. */
  paths: Record<ProxyName, string>;
  /** The hosts that they serve. */
  hosts: string[];
  /** Replaces the addresses of the servers behind the proxy. */
  replace: (text: string) => string;
};

export type RunningProxy = { port: number; redirectPort: number; certificate: Certificate; hosts: string[] };

const deploy = fileURLToPath(new URL('../../deploy', import.meta.url));

/** Runs a proxy with files that we ship, in which only addresses are replaced; stopped after the file's last test. */
export async function startProxy(name: ProxyName, files: ShippedFiles): Promise<RunningProxy> {
  const [host = '', ...others] = files.hosts;
  const authority = certificateFor(host, ...others);
  const directory = newDirectory(`${name}-`);
  const [port, redirectPort] = [await freePort(), await freePort()];
  const [certificate, key] = [join(directory, 'example.pem'), join(directory, 'example.key')];
  writeFileSync(certificate, name === 'haproxy' ? authority.cert + authority.key : authority.cert);
  writeFileSync(key, authority.key);
  const shipped = join(deploy, files.paths[name]);
  const { replace } = files;
  const args = writers[name]({ shipped, directory, port, redirectPort, certificate, key, replace });
  const command = [programOf(name), ...args];
  const { ended, printed } = startProcess({ command, cwd: directory, env: { HOME: directory } });
  const early = ended.then(({ code }) => Promise.reject(new Error(`${name} ended with code ${code}:\n${printed()}`)));
  await Promise.race([vi.waitFor(() => reach(port), { timeout: 10_000, interval: 20 }), early]);
  early.catch(() => {});
  return { port, redirectPort, certificate: authority, hosts: files.hosts };
}

type Place = Parameters<typeof writeNginxFiles>[0];

const writers: Record<ProxyName, (place: Place) => string[]> = {
  nginx: writeNginxFiles,
  caddy: writeCaddyfile,
  haproxy: writeHaproxyFiles,
};

function writeCaddyfile({ shipped, directory, port, redirectPort, certificate, key, replace }: Place): string[] {
  const options = ['admin off', `https_port ${port}`, `http_port ${redirectPort}`, 'skip_install_trust'];
  const text = replace(readFileSync(shipped, 'utf8')).replaceAll(
    /^[\w.]+ \{\n/gm,
    (line) => `${line}\tbind 127.0.0.1\n\ttls ${certificate} ${key}\n`,
  );
  writeFileSync(join(directory, 'Caddyfile'), `{\n\t${options.join('\n\t')}\n}\n${text}`);
  return ['run', '--config', join(directory, 'Caddyfile')];
}

function writeHaproxyFiles({ shipped, directory, port, redirectPort, certificate, replace }: Place): string[] {
  for (const file of readdirSync(shipped)) {
    const text = replace(readFileSync(join(shipped, file), 'utf8'))
      .replaceAll('bind :443', `bind 127.0.0.1:${port}`)
      .replaceAll('bind :80', `bind 127.0.0.1:${redirectPort}`)
      .replaceAll('/etc/haproxy/certificates/example.pem', certificate)
      .replaceAll('/etc/haproxy/', `${directory}/`);
    writeFileSync(join(directory, file), text);
  }
  return ['-db', '-f', join(directory, 'haproxy.cfg')];
}

// Debian keeps servers where not everybody's PATH leads.
function programOf(name: ProxyName): string {
  const program = findOnPath([name]) ?? `/usr/sbin/${name}`;
  if (!existsSync(program)) throw new Error(`there is no ${name}: run \`node scripts/setup.mjs ${name}\``);
  return program;
}

function reach(port: number): Promise<void> {
  return new Promise((done, fail) => {
    const socket = createConnection(port, '127.0.0.1', () => {
      socket.destroy();
      done();
    });
    socket.once('error', fail);
  });
}

export type ProxyRequest = {
  method?: string;
  host: string;
  path: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string | Buffer | undefined;
  /** Default: a connection of its own. */
  agent?: https.Agent;
};

export type ProxyAnswer = { status: number; headers: Record<string, string>; text: string };

/** One request to a proxy over TLS, with only these headers. */
export function askProxy(proxy: RunningProxy, asked: ProxyRequest): Promise<ProxyAnswer> {
  const { method = 'GET', host, path, headers, body, agent } = asked;
  return new Promise((done, fail) => {
    const { port, certificate } = proxy;
    const to = { method, path, port, host: '127.0.0.1', servername: host, ca: certificate.cert };
    const options = { ...to, agent: agent ?? (false as const), headers: { Host: host, ...headers } };
    const request = https.request(options, async (response) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        done({
          status: response.statusCode ?? 0,
          headers: response.headers as Record<string, string>,
          text: Buffer.concat(chunks).toString(),
        });
      } catch (error) {
        fail(error);
      }
    });
    request.once('error', fail).end(body);
  });
}

/** One request without TLS, at the port that only redirects. */
export function askPlain(
  { redirectPort }: RunningProxy,
  { host, path }: Pick<ProxyRequest, 'host' | 'path'>,
): Promise<{ status: number | undefined; location: string | undefined }> {
  const options = { host: '127.0.0.1', port: redirectPort, path, headers: { Host: host }, agent: false };
  return new Promise((done, fail) => {
    const request = http.get(options, (response) => {
      done({ status: response.resume().statusCode, location: response.headers.location });
    });
    request.once('error', fail);
  });
}
