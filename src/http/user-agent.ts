import bowser from 'bowser';

const knownBrowsers = new Set(Object.values(bowser.BROWSER_MAP));
const knownSystems = new Set(Object.values(bowser.OS_MAP));

/**
 * Browser and system in words, such as "Firefox on Linux", from the `User-Agent` header. Known names only: Bowser repeats
 * any others, and a stranger's words have no place in a list or mail for the owner of an address.
 */
export function describeDevice(userAgent: string): string {
  const parser = bowser.getParser(userAgent.slice(0, 512) || 'unknown', true); // It parses only what it is asked for.
  const system = known(knownSystems, parser.getOSName());
  const name = known(knownBrowsers, parser.getBrowserName()) ?? 'Unknown browser';
  if (system === undefined) return name;
  // The browser of some systems, such as Tizen, has no other name; that of others says the system.
  if (name === system) return `Browser on ${system}`;
  return name.includes(system) ? name : `${name} on ${system}`;
}

function known(names: Set<string>, name: string): string | undefined {
  return names.has(name) ? name : undefined;
}
