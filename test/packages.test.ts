import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

type Package = { deprecated?: string; hasInstallScript?: true; engines?: { node?: string } };

const read = (name: string) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
const packages = Object.entries<Package>(read('package-lock.json').packages);

/** The major versions of Node that a range is satisfied by, of those that we support. */
function supported(range: string): number[] {
  return [20, 22, 24].filter((major) =>
    range.split('||').some((part) => {
      const [, operator, from] = /^\s*(>=|\^|~|>)?\s*v?(\d+|\*)/.exec(part) ?? [];
      if (from === '*') return true;
      return operator === '>=' || operator === '>' ? major >= Number(from) : major === Number(from);
    }),
  );
}

// Each of these would be a warning of `npm ci`, and people learn to overlook warnings.
test('no package is deprecated, or refuses a Node that we support', () => {
  for (const [name, { deprecated, engines }] of packages) {
    expect({ name, deprecated }).toEqual({ name, deprecated: undefined });
    expect({ name, supported: supported(engines?.node ?? '*') }).toEqual({ name, supported: [20, 22, 24] });
  }
});

test('whether a package may run a script when it is installed has been decided', () => {
  const withScripts = packages.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path);
  const names = withScripts.map((path) => path.split('node_modules/').at(-1));
  expect(names).toEqual(Object.keys(read('package.json').allowScripts));
});
