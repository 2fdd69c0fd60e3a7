import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readConfig } from '../../src/config.ts';
import { read } from '../support/documents.ts';
import { newDirectory } from '../support/process.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
type Model = new (object: object) => { validate: () => void };
// Not imported, since its types don't fit our strict settings.
const load: (name: string) => Record<string, Model> = createRequire(import.meta.url);
const versions = ['v1', 'apps/v1', 'policy/v1', 'networking.k8s.io/v1'];
const models: Record<string, Model> = Object.assign({}, ...versions.map((name) => load(`kubernetes-models/${name}`)));
const kinds = ['ConfigMap', 'Deployment', 'Ingress', 'NetworkPolicy', 'PodDisruptionBudget', 'Service'];
function validate(object: { kind: string }): void {
  const model = models[object.kind];
  if (!model) throw new Error(`there is no schema of ${object.kind}`);
  new model(object).validate();
}

const kubernetes = 'deploy/kubernetes/latchkey.yaml';
const objects = parseAllDocuments(read(kubernetes)).map((document) => document.toJS());
const find = (kind: string) => objects.find((object) => object.kind === kind);

test('the objects for Kubernetes are as its schemas have them', () => {
  expect(objects.map(({ kind }) => kind).sort()).toEqual(kinds);
  for (const object of objects) validate(object);
  expect(() => validate({ ...find('Deployment'), spec: { replicas: 'three' } })).toThrow('replicas');
});

test('the objects for Kubernetes fit together', () => {
  const { template } = find('Deployment').spec;
  const [container] = template.spec.containers;
  const ports = container.ports.map(({ name }: { name: string }) => name);
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    expect(ports).toContain(container[probe].httpGet.port);
  }
  for (const selector of [find('Service').spec.selector, find('NetworkPolicy').spec.podSelector.matchLabels]) {
    expect(template.metadata.labels).toMatchObject(selector);
  }
});

test('Latchkey starts with the settings and the secrets that the objects for Kubernetes give it', () => {
  const { data } = find('ConfigMap');
  const [, ...commands] = read(kubernetes).split('kubectl create secret generic ');
  const made = commands.map((command) => ({ secret: /^\S+/.exec(command)?.[0], values: literalsOf(command) }));
  const [container] = find('Deployment').spec.template.spec.containers;
  const used = container.envFrom.flatMap(({ secretRef }: { secretRef?: { name: string } }) => secretRef?.name ?? []);
  expect(used).toEqual(made.map(({ secret }) => secret));
  const secrets = Object.assign({}, ...made.map(({ values }) => values));
  expect(Object.keys(secrets)).toContain('SMTP_URL'); // feature: email-code
  // Where nothing proves an address, the file asks for this.
  const decision = used.includes('latchkey-mail') ? {} : { SIGN_IN: 'trust' };
  const { origin } = readConfig({ NODE_ENV: 'production', ...data, ...secrets, ...decision });
  expect(new URL(origin ?? '').host).toBe(find('Ingress').spec.rules[0].host);
});

function literalsOf(command: string): Record<string, string> {
  const literals = [...command.matchAll(/--from-literal=(\w+)=(\$\(openssl rand -hex 32\)|\S+)/g)];
  return Object.fromEntries(
    literals.map(([, name = '', value = '']) => [name, value.startsWith('$') ? 'x'.repeat(64) : value]),
  );
}

test("Traefik's file tells Latchkey nothing that a visitor says of the way here", () => {
  const { http } = parse(read('deploy/traefik/latchkey.yml'));
  const routers: { middlewares: string[] }[] = Object.values(http.routers);
  for (const { middlewares } of routers) expect(middlewares[0]).toBe('nothing-forged');
  // Those that Traefik does not replace itself; an empty value removes them.
  const removed = { 'X-Request-Id': '', Forwarded: '', 'X-Forwarded-Ssl': '' };
  expect(http.middlewares['nothing-forged'].headers.customRequestHeaders).toEqual(removed);
  expect(parse(read('deploy/traefik/traefik.yml')).entryPoints.https).not.toHaveProperty('forwardedHeaders');
});

test('the files for Traefik are as its schemas have them', () => {
  const directories = [
    'deploy/traefik',
    'deploy/gate/traefik', // feature: gate
  ];
  const lines = directories.flatMap((directory) => [
    `(${JSON.stringify(parse(read(`${directory}/traefik.yml`)))}) satisfies Static;`,
    `(${JSON.stringify(parse(read(`${directory}/latchkey.yml`)))}) satisfies Dynamic;`,
  ]);
  const typesOf = (name: string) => JSON.stringify(join(project, `node_modules/@schemastore/${name}/index.d.ts`));
  const imports = [
    `import type { TraefikV3StaticConfiguration as Static } from ${typesOf('traefik-v3')};`,
    `import type { HttpsJsonSchemastoreOrgTraefikV3FileProviderJson as Dynamic } from ${typesOf('traefik-v3-file-provider')};`,
  ];
  const program = join(newDirectory('traefik-'), 'traefik.ts');
  const check = (text: string) => {
    writeFileSync(program, [...imports, text].join('\n'));
    const args = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'preserve', program];
    return spawnSync(join(project, 'node_modules/.bin/tsc'), args, { encoding: 'utf8' }).stdout;
  };
  expect(check(lines.join('\n'))).toBe('');
  expect(check(lines.join('\n').replaceAll('"servers":', '"server":'))).toContain('server');
});
