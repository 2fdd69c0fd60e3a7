import { existsSync } from 'node:fs';
import type { Given } from '../../config.ts';
import type { Setting, Settings } from '../../settings/setting.ts';
import { type EnvFile, readEnvFile, readTextFile, unexpandedReference } from './env-file.ts';
import { readFileOrPipe } from './pipe.ts';
import { similarName } from './similar-name.ts';

/** Names in `.env` that are for others who read it: Compose, docker-compose.yml, and the browser tests. */
const namesOfOthers = /^(COMPOSE_\w+|REDIS_PASSWORD|REDIS_MAXMEMORY|PORTS|PROCESSES|CHROMIUM_PATH)$/;

const unwrap =
  'is correct except for quotes or white space around it; remove them ("docker run --env-file", for one, keeps them)';
/** A secret in base64 has no such form, except by an unlikely chance. */
const plainPath = /^\.{0,2}\/(?:[\w.-]{1,31}\/)*[\w.-]{1,31}$/;

const people = '(?:LIST|E?MAILS?|USERS?|DOMAINS?|ADDRESS(?:ES)?|ACCOUNTS?|VISITORS?)';
const permission = '(?:ALLOW(?:ED)?|PERMIT(?:TED)?|AUTHORI[SZ]ED|WHITELIST(?:ED)?)';
/** Names that would restrict who gets in, or for how long, if they were settings. Platforms use none of them. */
const intendedNames = [
  { pattern: new RegExp(`^(?:SIGN_?IN_|LOGIN_|AUTH_)?${permission}_?${people}`, 'i'), setting: 'ALLOWED_EMAILS' },
  { pattern: new RegExp(`^(?:E?MAIL_)?${people}_${permission}(?:_?LIST)?$`, 'i'), setting: 'ALLOWED_EMAILS' },
  {
    pattern: /^SESSIONS?_(?:\w+_)?(?:TIME_?OUT|TTL|LIFETIME|MAX_?AGE|EXPIR\w*|DURATION)/i,
    setting: 'SESSION_IDLE or SESSION_ABSOLUTE',
  },
];

/**
 * Reads the settings from the environment, else from `.env`; secrets also from the files that `NAME_FILE` names.
 * @param path of a file that need not exist
 */
export function readSources(settings: Settings, env: NodeJS.ProcessEnv, path: string): Given {
  const file = readEnvFile(path);
  const texts: NodeJS.ProcessEnv = {};
  const problems = [...file.problems, ...unknownNames(settings, file), ...uselessFileNames(settings, env)];
  const inFile = new Map(file.entries.map(({ name, value }) => [name, value]));
  const read = (name: string) => env[name] ?? inFile.get(name) ?? '';
  for (const [name, setting] of Object.entries(settings)) {
    const { isSecret } = setting;
    const text = read(name);
    const reference = unexpandedReference(text);
    const secretPath = isSecret ? read(`${name}_FILE`) : '';
    const secret = secretPath === '' ? { text } : readSecret(secretPath);
    if (secretPath !== '' && text !== '') problems.push(`${name} and ${name}_FILE are both set; keep one of them`);
    else if (reference !== undefined) problems.push(`${name} contains ${reference}; write the value itself`);
    else if ('problem' in secret) problems.push(`${name}_FILE ${explainFile(secretPath, secret.problem)}`);
    else if (isWrapped(secret.text, setting)) problems.push(`${name} ${unwrap}`);
    else texts[name] = secret.text;
  }
  const message = 'a variable in the environment looks like a misspelt setting';
  const warnings = misspeltNames(settings, env).map((about) => ({ about, message }));
  return { env: texts, problems, warnings };
}

/** What is wrong with the file of a secret. Whoever mistakes `NAME_FILE` for `NAME` puts the secret itself there. */
function explainFile(path: string, problem: string): string {
  return plainPath.test(path) || existsSync(path)
    ? `names ${path}, which ${problem}`
    : 'takes the path of a file with the value, not the value itself; there is no such file';
}

/** Whether a text would be valid without the quotes or the white space around it. */
function isWrapped(text: string, { schema }: Setting): boolean {
  const bare = text.trim().replace(/^(['"])(.*)\1$/, '$2');
  return bare !== text && !schema.safeParse(text || undefined).success && schema.safeParse(bare || undefined).success;
}

/** Variables of the environment that look like misspelt settings. Platforms set many of their own, so these are no mistakes. */
function misspeltNames(settings: Settings, env: NodeJS.ProcessEnv): { name: string; setting: string }[] {
  const names = namesOf(settings);
  return Object.keys(env)
    .filter((name) => !names.includes(name))
    .flatMap((name) => {
      const setting = similarName(name, names, 6) ?? intendedSetting(name);
      return setting === undefined || settingOfFile(settings, name) !== undefined ? [] : [{ name, setting }];
    });
}

function unknownNames(settings: Settings, { path, entries }: EnvFile): string[] {
  const names = namesOf(settings);
  return entries
    .filter(({ name }) => !names.includes(name) && !namesOfOthers.test(name))
    .map(({ name, line }) => {
      const setting = settingOfFile(settings, name);
      if (setting !== undefined) return `${path}, line ${line}: ${fileNameProblem(name, setting)}`;
      const similar = similarName(name, names, 3) ?? intendedSetting(name);
      const fix = similar === undefined ? 'remove it, or set it in the environment' : `did you mean ${similar}?`;
      return `${path}, line ${line}: ${name} is not a setting; ${fix}`;
    });
}

/**
 * Variables of the environment such as `ALLOWED_EMAILS_FILE`. No platform sets those, and whoever does relies on them:
 * without that one, everybody may sign in.
 */
function uselessFileNames(settings: Settings, env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env).flatMap((name) => {
    const setting = env[name] === '' ? undefined : settingOfFile(settings, name);
    return setting === undefined ? [] : [fileNameProblem(name, setting)];
  });
}

function fileNameProblem(name: string, setting: string): string {
  return `${name} is not a setting; put the value into ${setting}`;
}

/** The setting that a name like `SETTING_FILE` is about, if it can't be read from a file. */
function settingOfFile(settings: Settings, name: string): string | undefined {
  const [, setting = ''] = /^(\w+)_FILE$/i.exec(name) ?? [];
  const written = setting.toUpperCase();
  return Object.hasOwn(settings, written) && !namesOf(settings).includes(name.toUpperCase()) ? written : undefined;
}

function intendedSetting(name: string): string | undefined {
  return intendedNames.find(({ pattern }) => pattern.test(name))?.setting;
}

function namesOf(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, { isSecret }]) => (isSecret ? [name, `${name}_FILE`] : [name]));
}

// Editors and `echo` end a file with a line break, which is no part of the secret.
function readSecret(path: string): { text: string } | { problem: string } {
  const read = readTextFile(path, readFileOrPipe);
  if ('problem' in read) return read;
  const text = read.text.replace(/\r?\n$/, '');
  return text === '' ? { problem: 'is empty' } : { text };
}
