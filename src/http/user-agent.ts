import bowser from 'bowser';

const knownBrowsers = new Set(Object.values(bowser.BROWSER_MAP));
const knownSystems = new Set(Object.values(bowser.OS_MAP));
/** Headers that were read, until there are a hundred: visitors share a few browsers, and reading a header takes 30 µs. */
const recent = new Map<string, string>();

/**
 * Browser and system in words, such as "Firefox on Linux", from the `User-Agent` header. Known names only: Bowser repeats
 * any others, and a stranger's words have no place in a list or mail for the owner of an address.
 */
export function describeDevice(userAgent: string): string {
  const header = userAgent.slice(0, 512) || 'unknown';
  const known = recent.get(header);
  if (known !== undefined) return known;
  const device = readHeader(header);
  if (recent.size >= 100) recent.clear();
  recent.set(Buffer.from(header).toString(), device); // A copy, because a piece keeps the whole header in memory.
  return device;
}

function readHeader(header: string): string {
  const { browser, os } = bowser.parse(header);
  const [found = '', system = ''] = [browser.name, os.name];
  const name = knownBrowsers.has(found) ? found : 'Unknown browser';
  if (!knownSystems.has(system)) return name;
  // The browser of some systems, such as Tizen, has no other name; that of others says the system.
  if (name === system) return `Browser on ${system}`;
  return name.includes(system) ? name : `${name} on ${system}`;
}
