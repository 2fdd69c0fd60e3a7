import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';
import { copyProject } from './support/process.ts';
import { problemsOf, production } from './support/settings.ts';
import { anyText } from './support/text.ts';

const newWay = `import { featureSettings } from '../../settings/feature.ts';

export const oidcSettings = featureSettings({
  title: 'Sign-in through a provider',
  settings: {},
  signIn: { name: 'oidc', about: 'by a provider', isReady: () => true, missing: 'the provider is missing' },
  read: () => ({}),
});
`;

test('a new way to sign in does not compile until app.ts says what it does', () => {
  const copy = copyProject();
  const edit = (file: string, change: (text: string) => string) => {
    const path = join(copy, file);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
  };
  const compile = () => {
    const options = ['--skipLibCheck', '--singleThreaded', '--incremental', '--tsBuildInfoFile', 'compiled'];
    const { status, stdout } = spawnSync(join(copy, 'node_modules/.bin/tsc'), options, { cwd: copy, encoding: 'utf8' });
    return { status, stdout };
  };
  mkdirSync(join(copy, 'src/features/oidc'), { recursive: true });
  writeFileSync(join(copy, 'src/features/oidc/settings.ts'), newWay);
  edit('src/config.ts', (text) =>
    text
      .replace(/^import /m, "import { oidcSettings } from './features/oidc/settings.ts';\nimport ")
      .replace('const features = {', 'const features = {\n  oidc: oidcSettings,'),
  );
  expect(compile()).toEqual({
    status: 1,
    stdout: expect.stringMatching(/^src\/app\.ts\(.*Property 'oidc' is missing(?!.*\nsrc)/),
  });
  edit('src/app.ts', (text) =>
    text.replace(/^(\s*)trust: /m, "$1oidc: () => {\n$1  throw new Error('not yet');\n$1},\n$&"),
  );
  expect(compile()).toEqual({ status: 0, stdout: '' });
});

test('nothing but the word trust trusts in production', () => {
  const { SIGN_IN: trusting, ...undecided } = production;
  expect(readConfig({ ...undecided, SIGN_IN: trusting }).signIn).toBe('trust');
  const others = ['', 'Trust', 'TRUST', ' trust', 'trust ', 'trust\n', 'true', 'none', '__proto__', 'constructor'];
  const refused = (SIGN_IN: string) => expect(problemsOf({ ...undecided, SIGN_IN })).not.toEqual([]);
  for (const text of others) refused(text);
  fc.assert(
    fc.property(anyText, (text) => {
      if (text !== 'trust') refused(text);
    }),
  );
});
