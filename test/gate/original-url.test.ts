import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxPathLength, readOriginalUrl, readPath } from '../../src/features/gate/original-url.ts';
import { openSites } from '../../src/features/gate/sites.ts';
import { urlPath, urlQuery } from '../support/text.ts';

const wiki = 'https://wiki.example.net';
const reports = 'https://reports.example.org:8443';
const sites = openSites([wiki, reports].map((origin) => ({ origin, visitors: undefined })));
const site = openSites([{ origin: wiki, visitors: undefined }]).get(wiki);
if (!site) throw new Error('there is no site');

const read = (text: string) => {
  const original = readOriginalUrl(text, sites);
  return original && { origin: original.site.origin, path: original.path };
};

describe('an original URL', () => {
  test.each([
    [`${wiki}/`, wiki, '/'],
    [wiki, wiki, '/'],
    ['HTTPS://WIKI.Example.NET/Page', wiki, '/Page'],
    [`${wiki}:443/`, wiki, '/'],
    [`${reports}/a`, reports, '/a'],
    [`${wiki}/a%2Fb%20c?d=%D0%BF&e=1+2%2B3#f`, wiki, '/a%2Fb%20c?d=%D0%BF&e=1+2%2B3'],
    [`${wiki}//evil.example/..;/x`, wiki, '//evil.example/..;/x'],
    [`${wiki}/?next=https://evil.example/`, wiki, '/?next=https://evil.example/'],
    [`${wiki}/%0d%0aSet-Cookie:x`, wiki, '/%0d%0aSet-Cookie:x'],
    [`${wiki}/{a}|^\\/./b/..?x=50%&y="<'>"\``, wiki, '/{a}|^\\/./b/..?x=50%&y="<\'>"`'],
    // As nginx passes on what no browser sends: bytes outside ASCII.
    [`${wiki}/${Buffer.from('п').toString('latin1')}`, wiki, '/%D0%BF'],
  ])('%s is on %s', (text, origin, path) => {
    expect(read(text)).toEqual({ origin, path });
  });

  test.each([
    '',
    '/',
    '//wiki.example.net/',
    'wiki.example.net/',
    'https:wiki.example.net/',
    'https:/wiki.example.net/',
    'https:///wiki.example.net/',
    'https:\\\\wiki.example.net/',
    'http://wiki.example.net/',
    'http://wiki.example.net:443/',
    'https://wiki.example.net:8443/',
    'https://reports.example.org/',
    'https://evil.example/',
    'https://wiki.example.net.evil.example/',
    'https://evilwiki.example.net/',
    'https://wiki.example.net./',
    'https://wiki.example.net@evil.example/',
    'https://evil.example@wiki.example.net/',
    'https://ann:secret@wiki.example.net/',
    'https://wiki.example.net:443@evil.example/',
    'https://evil.example#@wiki.example.net/',
    'https://evil.example\\@wiki.example.net/',
    'https://wiki.example.net\\.evil.example/',
    'https://wiki%2eexample.net/',
    'https://wiki.example.net%2eevil.example/',
    'https://wiki。example。net/',
    'https://ｗiki.example.net/',
    'https://wiki.example.net:/',
    'https://wiki.example.net:0/',
    'https://wiki.example.net:99999/',
    'https://[wiki.example.net]/',
    'https://wiki.example.net, https://wiki.example.net/',
    'https://wiki.example.net/, https://evil.example/',
    ' https://wiki.example.net/',
    'https://wiki.example.net /',
    'https://wiki.example.net/a b',
    'https://wiki.example.net/\t',
    'https://wiki.example.net/\r\nLocation: https://evil.example/',
    'https://wiki.example.net\n.evil.example/',
    'https://wiki.example.net/\u0000',
    'javascript://wiki.example.net/%0aalert(1)',
    'ws://wiki.example.net/',
  ])('%j is on none', (text) => {
    expect(read(text)).toBeUndefined();
  });
});

// What open redirects are built from: see OWASP's cheat sheet, and the corpus of oauth2-proxy.
const slashes = ['/', '//', '///', '\\', '/\\', '\\/', '/.', '/..', '/%2f', '/%5c', '%2f%2f', '/;@', '/?@', '/#@'];
const blanks = ['', ' ', '\t', '\n', '\r', '\v', '%09', '%0a', '%0d%0a', '%00', '\u00a0', '\u2028', '\ufeff'];
const targets = [
  ...['evil.example', '@evil.example', 'evil.example@wiki.example.net', 'wiki.example.net@evil.example', '2130706433'],
  ...['https:evil.example', 'https://evil.example', 'javascript:alert(1)', '%65vil.example', 'ⓔvil.example', '[::1]'],
  ...['evil。example', '.evil.example', ':443@evil.example', 'wiki.example.net.evil.example', '%40evil.example'],
];
const attacks = slashes.flatMap((slash) =>
  blanks.flatMap((blank) =>
    targets.flatMap((target) => [
      blank + slash + target,
      slash + blank + target,
      `${slash}${blank}/${target}/..`,
      `/x${blank}${slash}${target}`,
    ]),
  ),
);

describe('a path that a link asks for', () => {
  test(`stays on its site, whichever of ${attacks.length} attacks it is`, () => {
    const astray = attacks.filter((attack) => {
      const path = readPath(site, attack);
      const asBrowsersSeeIt = new URL(site.origin + path);
      return asBrowsersSeeIt.origin !== site.origin || asBrowsersSeeIt.username !== '' || /[^!-~]/.test(path);
    });
    expect(astray).toEqual([]);
  });

  test('stays on its site, whatever it is, and is the same when it is read again', () => {
    const unit = fc.constantFrom(...'/\\.:@?#%&=+;~[]25fFaA é\u00a0п😀\ud800\t\r\n\0');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
        const path = readPath(site, `/${text}`);
        expect(new URL(site.origin + path).origin).toBe(site.origin);
        expect(path).toMatch(/^\/[!-~]*$/);
        expect(readPath(site, path)).toBe(path);
      }),
    );
  });

  test('survives as it is', () => {
    fc.assert(
      fc.property(urlPath, urlQuery, (path, query) => {
        const { pathname, search } = new URL(`${site.origin}/${path}?${query}`);
        fc.pre(!pathname.includes('.latchkey') && pathname.length + search.length <= maxPathLength);
        expect(readPath(site, pathname + search)).toBe(pathname + search);
      }),
    );
    // Whatever visible ASCII a client sends comes back unchanged, also where `URL` would encode it.
    const unit = fc.constantFrom(...`abc.%{}|^\\[]"'<>;:@&=+/?\``);
    const raw = fc.string({ unit }).map((text) => `/${text}`);
    fc.assert(fc.property(raw, (text) => void expect(readPath(site, text)).toBe(text)));
    const longest = `/${'a'.repeat(maxPathLength - 1)}`;
    expect(readPath(site, longest)).toBe(longest);
    expect(readPath(site, '/My page/ü')).toBe('/My%20page/%C3%BC');
  });

  test.each([
    [`/${'a'.repeat(maxPathLength)}`, 'too long'],
    ['/.latchkey/logout', 'one of the gate'],
    ['/.Latchkey', 'one of the gate'],
    ['/x/../.latchkey/start?to=/', 'one of the gate'],
    ['//.latchkey/logout', 'one of the gate'],
    ['/.latchkey\\logout', 'one of the gate'],
    ['/%2e/.latchkey?x', 'one of the gate'],
    ['relative', 'not a path'],
    [['/a', '/b'], 'not a text'],
    [undefined, 'missing'],
  ])('is the home page when %s is %s', (wanted, _reason) => {
    expect(readPath(site, wanted)).toBe('/');
  });
});
