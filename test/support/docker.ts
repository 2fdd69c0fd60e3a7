import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const project = fileURLToPath(new URL('../..', import.meta.url));
export const read = (name: string) => readFileSync(join(project, name), 'utf8');

/** What an operator has to set at least. */
export const operator = {
  SESSION_SECRET: 'a secret of the operator of 32 characters and more',
  REDIS_PASSWORD: 'of-the-operator',
  SIGN_IN: 'trust',
};

/** The compose file as Compose reads it: https://docs.docker.com/reference/compose-file/interpolation/ */
export function compose(environment: Record<string, string>) {
  return parse(read('docker-compose.yml'), (_, value: unknown) =>
    typeof value === 'string' ? interpolate(value, environment) : value,
  );
}

function interpolate(text: string, environment: Record<string, string>): string {
  return text.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_, name: string, operation: string, otherwise: string) => {
    if (environment[name]) return environment[name];
    if (operation === '?') throw new Error(`${name}: ${otherwise}`);
    return otherwise;
  });
}

export type Instruction = { name: string; rest: string };

/** The stages of the Dockerfile, each with the instructions after its FROM. */
export function stages(): { from: string; instructions: Instruction[] }[] {
  const lines = read('Dockerfile')
    .replace(/^#.*\n/gm, '')
    .replaceAll('\\\n', '')
    .split('\n')
    .filter(Boolean);
  const found: { from: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') found.push({ from: rest, instructions: [] });
    else found.at(-1)?.instructions.push({ name, rest });
  }
  return found;
}

const runtime = stages().at(-1)?.instructions ?? [];

/** The one instruction of this name in the image's last stage. */
export function only(name: string): string {
  const [instruction, ...others] = runtime.filter((candidate) => candidate.name === name);
  if (!instruction || others.length > 0) throw new Error(`not exactly one ${name}`);
  return instruction.rest;
}

/** What the image sets. */
export function imageEnvironment(): Record<string, string> {
  return Object.fromEntries(
    only('ENV')
      .split(' ')
      .map((pair) => pair.split('=')),
  );
}
