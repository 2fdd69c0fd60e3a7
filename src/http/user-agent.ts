import bowser from 'bowser';

const knownBrowsers = new Set(Object.values(bowser.BROWSER_MAP));
const knownSystems = new Set(Object.values(bowser.OS_MAP));

/**
 * Browser and system in words, such as "Firefox on Linux", from the `User-Agent` header. Only names that are known:
 * Bowser repeats the others, and a stranger's words have no place in the mail to an address's owner.
 */
export function describeDevice(userAgent: string): string {
  const { browser, os } = bowser.parse(userAgent.slice(0, 512) || 'unknown');
  const name = knownBrowsers.has(browser.name ?? '') ? browser.name : 'Unknown browser';
  return knownSystems.has(os.name ?? '') ? `${name} on ${os.name}` : `${name}`;
}
