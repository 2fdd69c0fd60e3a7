/** A URL, or undefined for a text that is none. Once optimized, `URL.canParse` of Node 20 refuses letters such as é. */
export function parseUrl(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}

/** Whether a URL's host name can be that of one machine. `new URL()` also takes `${HOST}`, `a.example,b.example`, `*`. */
export function isHost(hostname: string): boolean {
  return /^(?!0\.0\.0\.0$|\.|.*\.\.)(?:[\w.-]|%[89a-f][\da-f])+$|^\[(?!::\])[\da-f:.]+\]$/i.test(hostname);
}

/** Whether every `%` in a piece of a URL begins an encoded character. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether a URL's host name can only mean this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
