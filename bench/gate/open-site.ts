import { request } from 'node:http';

export const site = 'https://wiki.example.net';

type Answer = { location: string; cookies: string[] };

/** Opens the site with a session of the login site, as a browser does. @returns the site's Cookie header */
export async function openSite(latchkey: string, session: string): Promise<string> {
  const onSite = { 'X-Forwarded-Host': new URL(site).host, 'X-Forwarded-Proto': 'https' };
  const started = await ask(`${latchkey}/.latchkey/start?to=/`, onSite);
  const issued = await ask(started.location, { Cookie: session });
  const { pathname, search } = new URL(issued.location);
  const entered = await ask(latchkey + pathname + search, { ...onSite, Cookie: started.cookies.join('; ') });
  const cookie = entered.cookies.find((pair) => pair.startsWith('__Host-latchkey='));
  if (cookie === undefined) throw new Error('the site was not opened');
  return cookie;
}

// `fetch` can set neither Fetch Metadata nor a Host.
function ask(url: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((done, fail) => {
    const asked = request(url, { headers }, (response) => {
      response.resume();
      const cookies = (response.headers['set-cookie'] ?? []).map((line) => line.split(';')[0] ?? '');
      done({ location: response.headers.location ?? '', cookies });
    });
    asked.once('error', fail).end();
  });
}
