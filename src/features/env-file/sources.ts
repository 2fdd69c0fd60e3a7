import type { Given } from '../../config.ts';
import type { Settings } from '../../settings/setting.ts';
import { type EnvFile, readEnvFile, readTextFile } from './env-file.ts';
import { similarName } from './similar-name.ts';

/** Names in `.env` that are for others who read it: Compose, docker-compose.yml, and the browser tests. */
const namesOfOthers = /^(COMPOSE_\w+|REDIS_PASSWORD|REDIS_MAXMEMORY|PORTS|PROCESSES|CHROMIUM_PATH)$/;

/**
 * Reads the settings from the environment, else from `.env`; secrets also from the files that `NAME_FILE` names.
 * @param path of a file that need not exist
 */
export function readSources(settings: Settings, env: NodeJS.ProcessEnv, path: string): Given {
  const file = readEnvFile(path);
  const texts: NodeJS.ProcessEnv = {};
  const problems = [...file.problems, ...unknownNames(settings, file)];
  const inFile = new Map(file.entries.map(({ name, value }) => [name, value]));
  const read = (name: string) => env[name] ?? inFile.get(name) ?? '';
  for (const [name, { isSecret }] of Object.entries(settings)) {
    const text = read(name);
    const secretPath = isSecret ? read(`${name}_FILE`) : '';
    const secret = secretPath === '' ? { text } : readSecret(secretPath);
    if (secretPath !== '' && text !== '') problems.push(`${name} and ${name}_FILE are both set; keep one of them`);
    else if ('problem' in secret) problems.push(`${name}_FILE names ${secretPath}, which ${secret.problem}`);
    else texts[name] = secret.text;
  }
  const message = 'a variable in the environment looks like a misspelt setting';
  const warnings = misspeltNames(settings, env).map((about) => ({ about, message }));
  return { env: texts, problems, warnings };
}

/** Variables of the environment that look like misspelt settings. Platforms set many of their own, so these are no mistakes. */
function misspeltNames(settings: Settings, env: NodeJS.ProcessEnv): { name: string; setting: string }[] {
  const names = namesOf(settings);
  return Object.keys(env)
    .filter((name) => !names.includes(name))
    .flatMap((name) => {
      const setting = similarName(name, names, 6);
      return setting === undefined ? [] : [{ name, setting }];
    });
}

function unknownNames(settings: Settings, { path, entries }: EnvFile): string[] {
  const names = namesOf(settings);
  return entries
    .filter(({ name }) => !names.includes(name) && !namesOfOthers.test(name))
    .map(({ name, line }) => {
      const similar = similarName(name, names, 3);
      const fix = similar === undefined ? 'remove it, or set it in the environment' : `did you mean ${similar}?`;
      return `${path}, line ${line}: ${name} is not a setting; ${fix}`;
    });
}

function namesOf(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, { isSecret }]) => (isSecret ? [name, `${name}_FILE`] : [name]));
}

// Editors and `echo` end a file with a line break, which is no part of the secret.
function readSecret(path: string): { text: string } | { problem: string } {
  const read = readTextFile(path);
  if ('problem' in read) return read;
  const text = read.text.replace(/\r?\n$/, '');
  return text === '' ? { problem: 'is empty' } : { text };
}
